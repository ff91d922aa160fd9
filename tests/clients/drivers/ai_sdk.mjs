// The AI SDK, with its providers for OpenAI-compatible APIs and for OpenAI.

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import * as checks from "./checks.mjs";

const require = createRequire(`${process.env.PACKAGES}/`);
const load = (name) => import(pathToFileURL(require.resolve(name)));
const ai = await load("ai");
const { createOpenAI } = await load("@ai-sdk/openai");
const { createOpenAICompatible } = await load("@ai-sdk/openai-compatible");
const { z } = await load("zod");

const options = { name: "pennyworth", baseURL: checks.URL, apiKey: checks.KEY, supportsStructuredOutputs: true };
const provider = createOpenAICompatible(options);
const common = { model: provider(checks.MODEL), maxRetries: 0, prompt: checks.QUESTION };

async function* deltas(model) {
  const result = ai.streamText({ ...common, model: provider(model), onError: () => {} });
  for await (const part of result.fullStream) {
    if (part.type === "error") throw part.error;
    if (part.type === "text-delta") yield part.text;
  }
}

await checks.run({
  chat: async () => checks.expect((await ai.generateText(common)).text, checks.TEXT),
  stream: () => checks.expectPieces(deltas(checks.MODEL)),
  tools: async () => {
    const weather = ai.tool({
      inputSchema: z.object({ city: z.string() }),
      execute: async ({ city }) => (city === "Paris" ? checks.WEATHER : "no such city"),
    });
    const asked = { ...common, prompt: checks.USE_TOOL, tools: { weather } };
    checks.expect((await ai.generateText({ ...asked, stopWhen: ai.stepCountIs(3) })).text, checks.TOOL_TEXT);
  },
  schema: async () => {
    const schema = z.object({ name: z.string(), people: z.number() });
    const answer = await ai.generateText({ ...common, output: ai.Output.object({ schema }) });
    checks.expect(answer.output, checks.CITY);
  },
  embeddings: async () => {
    const model = provider.embeddingModel?.(checks.MODEL) ?? provider.textEmbeddingModel(checks.MODEL);
    const answer = await ai.embedMany({ model, values: ["one", "two"], maxRetries: 0 });
    checks.expect(answer.embeddings, [checks.VECTOR, checks.VECTOR]);
  },
  "wrong key": () => {
    const model = createOpenAICompatible({ ...options, apiKey: checks.WRONG_KEY })(checks.MODEL);
    return checks.expectError(() => ai.generateText({ ...common, model }), "API key");
  },
  cut: () => checks.expectError(() => checks.expectPieces(deltas(checks.CUT))),
  responses: async () => {
    const model = createOpenAI({ baseURL: checks.URL, apiKey: checks.KEY })(checks.MODEL);
    checks.expect((await ai.generateText({ ...common, model })).text, checks.TEXT);
  },
});
