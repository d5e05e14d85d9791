// The JavaScript library of OpenAI reads what WriteReplay writes: lines of JSON from stdin.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const { default: OpenAI } = createRequire(process.env.CLIENT_ROOT + "/")("openai");

const seed = "00112233445566778899aabbccddeeff";

function checkUsage(usage, input, output) {
  assert.equal(usage[input], 21);
  assert.equal(usage[output], 9);
  assert.equal(usage.total_tokens, 30);
  assert.equal(usage[input + "_details"].cached_tokens, 21);
  assert.equal(usage[output + "_details"].reasoning_tokens, 4);
}

// A helper of the library's that puts a stream together again checks it as it goes.
const checks = {
  async chat(client, one) {
    const ask = { model: "gpt-4o", messages: [{ role: "user", content: "Hi" }], n: one.choices };
    let answer;
    if (one.stream) {
      const runner = client.chat.completions.stream({
        ...ask,
        ...(one.include_usage ? { stream_options: { include_usage: true } } : {}),
      });
      answer = await runner.finalChatCompletion();
      if (one.include_usage) checkUsage(answer.usage, "prompt_tokens", "completion_tokens");
      else assert.equal(answer.usage ?? null, null);
    } else {
      answer = await client.chat.completions.create(ask);
      checkUsage(answer.usage, "prompt_tokens", "completion_tokens");
    }
    assert.equal(answer.id, "chatcmpl-" + seed);
    assert.equal(answer.object, "chat.completion");
    assert.equal(answer.model, "gpt-4o");
    assert.equal(answer.choices.length, one.choices);
    for (const [index, choice] of answer.choices.entries()) {
      assert.equal(choice.index, index);
      assert.equal(choice.finish_reason, "stop");
      assert.equal(choice.message.role, "assistant");
      assert.equal(choice.message.content, one.text);
    }
  },

  async completions(client, one) {
    const ask = { model: "gpt-4o", prompt: "Hi" };
    let text = "";
    let reason = null;
    let usage = null;
    const answer = await client.completions.create({ ...ask, stream: one.stream });
    for await (const chunk of one.stream ? answer : [answer]) {
      assert.equal(chunk.id, "cmpl-" + seed);
      for (const choice of chunk.choices) {
        text += choice.text;
        reason = choice.finish_reason ?? reason;
      }
      usage = chunk.usage ?? usage;
    }
    assert.equal(text, one.text);
    assert.equal(reason, "stop");
    if (one.stream && !one.include_usage) assert.equal(usage, null);
    else checkUsage(usage, "prompt_tokens", "completion_tokens");
  },

  async responses(client, one) {
    const ask = { model: "gpt-4o", input: "Hi" };
    let answer;
    if (one.stream) {
      let text = "";
      const stream = client.responses.stream(ask);
      stream.on("response.output_text.delta", (event) => (text += event.delta));
      answer = await stream.finalResponse();
      assert.equal(text, one.text);
    } else {
      answer = await client.responses.create(ask);
    }
    assert.equal(answer.id, "resp_" + seed);
    assert.equal(answer.status, "completed");
    assert.equal(answer.output_text, one.text);
    checkUsage(answer.usage, "input_tokens", "output_tokens");
  },
};

let read = 0;
for await (const line of createInterface({ input: process.stdin })) {
  const one = JSON.parse(line);
  const headers = { "content-type": one.content_type };
  const client = new OpenAI({
    apiKey: "key",
    maxRetries: 0,
    fetch: async () => new Response(one.body, { headers }),
  });
  await checks[one.operation](client, one);
  read += 1;
}
assert.equal(read, 16);
console.log(`${read} replays are read`);
