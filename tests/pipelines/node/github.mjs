// GitHub's own parser on the given files: `node github.mjs FILE...`, bundled first, prints what is wrong, a JSON list.
import fs from "node:fs";
import { convertWorkflowTemplate, NoOperationTraceWriter, parseWorkflow } from "@actions/workflow-parser";
import { parseAction } from "@actions/workflow-parser/actions/action-parser";

async function main(paths) {
  const found = [];
  for (const path of paths) {
    const file = { name: path, content: fs.readFileSync(path, "utf8") };
    const isAction = path.endsWith("action.yml");
    const parsed = (isAction ? parseAction : parseWorkflow)(file, new NoOperationTraceWriter());
    if (!isAction && parsed.value) {
      const converted = await convertWorkflowTemplate(parsed.context, parsed.value);
      found.push(...(converted.errors ?? []).map((each) => `${path}: ${each.Message}`));
    }
    found.push(...parsed.context.errors.getErrors().map((each) => `${path}: ${each.message}`));
  }
  console.log(JSON.stringify(found));
}

main(process.argv.slice(2));
