// What every driver of a JavaScript client says and asks; the same as checks.py.

export const URL = process.env.OPENAI_BASE_URL;
export const KEY = process.env.OPENAI_API_KEY;
export const MODEL = process.env.MODEL;
export const CUT = process.env.CUT;
export const WRONG_KEY = "sk-not-a-key";
export const QUESTION = "What is the capital of France?";
export const TEXT = "The capital of France is Paris.";
export const USE_TOOL = 'CALL weather {"city":"Paris"}';
export const WEATHER = "rain-4711";
export const TOOL_TEXT = `The tool said: ${WEATHER}`;
export const VECTOR = [0.5, -0.25, 0.125];
export const CITY = { name: "Paris", people: 7 };

class Unexpected extends Error {}

export function expect(found, wanted) {
  const [given, right] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (given !== right) throw new Unexpected(`expected ${right}, got ${given}`);
}

export async function expectPieces(pieces, text = TEXT) {
  const given = [];
  for await (const piece of pieces) if (piece) given.push(piece);
  expect(given.join(""), text);
  if (given.length < 3) throw new Unexpected(`the stream came in ${given.length} pieces`);
}

export async function expectError(call, ...words) {
  try {
    await call();
  } catch (error) {
    if (error instanceof Unexpected) throw error; // an answer that ended too early without an error
    const missing = words.filter((word) => !`${error}`.includes(word));
    if (missing.length) throw new Unexpected(`the error lacks ${missing}: ${error}`);
    return;
  }
  throw new Unexpected("it raises nothing");
}

export async function run(checks) {
  for (const [check, call] of Object.entries(checks)) {
    let problem = "";
    try {
      await call();
    } catch (error) {
      problem = `${error}`.slice(0, 600) || "failed";
    }
    console.log(JSON.stringify({ check, problem }));
  }
  process.exit(0);
}
