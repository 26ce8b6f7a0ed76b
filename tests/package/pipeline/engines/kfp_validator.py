"""What kfp itself says of a pipeline: its protobufs, its loader and its local compiler, in an environment of its own.

This file runs there as a program: it reads a pipeline in a line of JSON, and answers with a line, empty if it is right.
"""

import json
import sys

REQUIREMENTS = ("kfp[kubernetes]>=2.17,<2.18",)


def main() -> None:
    import yaml
    from google.protobuf import json_format
    from kfp import components
    from kfp.kubernetes.kubernetes_executor_config_pb2 import KubernetesExecutorConfig
    from kfp.pipeline_spec import pipeline_spec_pb2 as pb

    for line in sys.stdin:
        text = json.loads(line)
        try:
            spec, platform = yaml.safe_load_all(text)
            json_format.ParseDict(spec, pb.PipelineSpec())
            json_format.ParseDict(spec["deploymentSpec"], pb.PipelineDeploymentConfig())
            json_format.ParseDict(platform, pb.PlatformSpec())
            for pod in platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"].values():
                json_format.ParseDict(pod, KubernetesExecutorConfig())
            components.load_component_from_text(text)
            print(flush=True)
        except Exception as error:
            print(repr(error), flush=True)


if __name__ == "__main__":
    main()
