// What OpenAI's client for Node gets from the built-in model, one line of JSON per scenario.
// tests/test_clients.py runs this with a base URL and holds it against what Python's client gets.
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

const [baseURL, asked] = process.argv.slice(2);
const { count, story, weather, tools, inJson } = JSON.parse(asked);
const client = new OpenAI({ baseURL, apiKey: "sk-none", maxRetries: 0 });
const user = (content) => [{ role: "user", content }];
const create = (body) => client.chat.completions.create({ model: "built-in", ...body });

const Event = z.object({
  name: z.string(),
  year: z.number().int(),
  kind: z.enum(["talk", "party"]),
  guests: z.array(z.object({ name: z.string(), comes: z.boolean() })),
  note: z.string().nullable(),
});

async function pieces(stream) {
  const found = [];
  for await (const chunk of await stream) found.push(chunk);
  return found;
}

function call(completion) {
  const [{ message, finish_reason }] = completion.choices;
  const [{ id, type, function: { name, arguments: text } }] = message.tool_calls;
  return { id, type, name, text, calls: message.tool_calls.length, reason: finish_reason };
}

const scenarios = {
  async whole() {
    const { choices, usage } = await create({ messages: user(count), n: 2 });
    return { texts: choices.map((choice) => choice.message.content), usage };
  },
  async stream() {
    const chunks = await pieces(
      create({ messages: user(story), stream: true, stream_options: { include_usage: true } }),
    );
    const choices = chunks.flatMap((chunk) => chunk.choices);
    return {
      texts: choices.map((choice) => choice.delta.content ?? ""),
      reasons: choices.map((choice) => choice.finish_reason).filter(Boolean),
      usage: chunks.at(-1).usage,
    };
  },
  async tool_required() {
    return call(await create({ messages: user(weather), tools, tool_choice: "required" }));
  },
  async tool_named() {
    const tool_choice = { type: "function", function: { name: "get_time" } };
    return call(await create({ messages: user(weather), tools, tool_choice }));
  },
  async tool_streamed() {
    const body = { messages: user(weather), tools, tool_choice: "required" };
    const chunks = await pieces(create({ ...body, stream: true }));
    const choices = chunks.flatMap((chunk) => chunk.choices);
    const calls = choices.flatMap((choice) => choice.delta.tool_calls ?? []);
    return {
      id: calls[0].id,
      type: calls[0].type,
      name: calls[0].function.name,
      text: calls.map((part) => part.function.arguments ?? "").join(""),
      calls: new Set(calls.map((part) => part.index)).size,
      reason: choices.at(-1).finish_reason,
    };
  },
  async tool_result() {
    const messages = user(weather);
    const first = await create({ messages, tools, tool_choice: "required" });
    const [{ message }] = first.choices;
    const result = { role: "tool", tool_call_id: message.tool_calls[0].id, content: "Sunny, 21 °C" };
    const second = await create({ messages: [...messages, message, result], tools });
    const [choice] = second.choices;
    return { text: choice.message.content, reason: choice.finish_reason };
  },
  async structured() {
    const response_format = zodResponseFormat(Event, "event");
    const body = { model: "built-in", messages: user(weather), response_format };
    const [{ message }] = (await client.chat.completions.parse(body)).choices;
    return { parsed: message.parsed, text: message.content };
  },
  async json_object() {
    const response_format = { type: "json_object" };
    const [{ message }] = (await create({ messages: user(inJson), response_format })).choices;
    return { text: message.content };
  },
  async legacy() {
    const body = { model: "built-in", prompt: "The capital of France is", max_tokens: 100 };
    const whole = await client.completions.create(body);
    const chunks = await pieces(client.completions.create({ ...body, stream: true }));
    return {
      text: whole.choices[0].text,
      reason: whole.choices[0].finish_reason,
      usage: whole.usage,
      texts: chunks.flatMap((chunk) => chunk.choices).map((choice) => choice.text),
    };
  },
  async refused() {
    try {
      await create({ messages: user(count), temperature: 3 });
    } catch (error) {
      return { kind: error.constructor.name, status: error.status, param: error.param };
    }
  },
};

for (const [name, run] of Object.entries(scenarios)) {
  let line;
  try {
    line = { name, result: await run() };
  } catch (error) {
    line = { name, error: String(error) };
  }
  console.log(JSON.stringify(line));
}
