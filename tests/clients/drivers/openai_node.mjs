// OpenAI's SDK for TypeScript and JavaScript.

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import * as checks from "./checks.mjs";

const require = createRequire(`${process.env.PACKAGES}/`);
const { default: OpenAI } = await import(pathToFileURL(require.resolve("openai")));

const client = new OpenAI({ maxRetries: 0, timeout: 30000 });
const messages = [{ role: "user", content: checks.QUESTION }];
const properties = { city: { type: "string" } };
const ask = (options, made = client) =>
  made.chat.completions.create({ model: checks.MODEL, messages, ...options });

async function* deltas(model) {
  for await (const chunk of await ask({ model, stream: true })) yield chunk.choices[0]?.delta.content;
}

await checks.run({
  models: async () => {
    const listed = [];
    for await (const model of client.models.list()) listed.push(model.id);
    checks.expect(listed.includes(checks.MODEL), true);
  },
  chat: async () => checks.expect((await ask({})).choices[0].message.content, checks.TEXT),
  stream: () => checks.expectPieces(deltas(checks.MODEL)),
  tools: async () => {
    const runner = client.chat.completions.runTools({
      model: checks.MODEL,
      messages: [{ role: "user", content: checks.USE_TOOL }],
      tools: [
        {
          type: "function",
          function: {
            name: "weather",
            parse: JSON.parse,
            parameters: { type: "object", properties },
            function: ({ city }) => (city === "Paris" ? checks.WEATHER : "no such city"),
          },
        },
      ],
    });
    checks.expect(await runner.finalContent(), checks.TOOL_TEXT);
  },
  schema: async () => {
    const schema = {
      type: "object",
      properties: { name: { type: "string" }, people: { type: "integer" } },
      required: ["name", "people"],
      additionalProperties: false,
    };
    const format = { type: "json_schema", json_schema: { name: "city", strict: true, schema } };
    const answer = await ask({ response_format: format });
    checks.expect(JSON.parse(answer.choices[0].message.content), checks.CITY);
  },
  embeddings: async () => {
    const answer = await client.embeddings.create({ model: checks.MODEL, input: ["one", "two"] });
    checks.expect(answer.data.map((item) => item.embedding), [checks.VECTOR, checks.VECTOR]);
  },
  "wrong key": () =>
    checks.expectError(() => ask({}, client.withOptions({ apiKey: checks.WRONG_KEY })), "401", "API key"),
  cut: () => checks.expectError(() => checks.expectPieces(deltas(checks.CUT))),
  responses: async () => {
    const answer = await client.responses.create({ model: checks.MODEL, input: checks.QUESTION });
    checks.expect(answer.output_text, checks.TEXT);
  },
});
