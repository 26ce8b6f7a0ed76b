// Azure's own language service on the given files: `node azure.cjs SCHEMA FILE...` prints what is wrong, a JSON list.
const fs = require("node:fs");
const service = require("azure-pipelines-language-service");

const [schemaPath, ...paths] = process.argv.slice(2);
const schema = JSON.parse(fs.readFileSync(schemaPath, "utf8"));
// The service asks for the schema by its address; it has to be an object, a text would validate nothing.
const language = service.getLanguageService(() => Promise.resolve(schema), [], () => Promise.resolve("file:///schema.json"));
language.configure({ validate: true });

(async () => {
  const found = [];
  for (const path of paths) {
    const document = service.TextDocument.create(`file://${path}`, "azure-pipelines", 1, fs.readFileSync(path, "utf8"));
    const parsed = service.parse(document.getText());
    for (const each of await language.doValidation(document, parsed)) {
      found.push(`${path}:${each.range.start.line + 1}: ${each.message}`);
    }
  }
  console.log(JSON.stringify(found));
})();
