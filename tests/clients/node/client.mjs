// The JavaScript library of OpenAI, unmodified, through the gateway. BASE: the gateway's URL.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const { default: OpenAI, AzureOpenAI } = createRequire(process.env.CLIENT_ROOT + "/")("openai");

const base = process.env.BASE;
const messages = [{ role: "user", content: "Say hello." }];
const ask = { model: "gpt-4o", messages };
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

const openai = (apiKey, options = {}) =>
  new OpenAI({ apiKey, baseURL: base + "/v1", maxRetries: 0, ...options });
const azure = (apiKey) =>
  new AzureOpenAI({ apiKey, endpoint: base, apiVersion: "2024-10-21", maxRetries: 0 });

async function metric(name, ...labels) {
  const text = await (await fetch(base + "/metrics")).text();
  let sum = 0;
  for (const line of text.split("\n")) {
    if (!line.startsWith(name + "{") || !labels.every((label) => line.includes(label))) continue;
    sum += Number(line.slice(line.lastIndexOf(" ") + 1));
  }
  return sum;
}

async function collect(stream) {
  const seen = { text: "", usages: [], empty: 0, chunks: 0, finish: null };
  for await (const chunk of stream) {
    seen.chunks += 1;
    if (chunk.usage) seen.usages.push(chunk.usage);
    if (chunk.choices.length === 0) seen.empty += 1;
    seen.text += chunk.choices[0]?.delta?.content ?? "";
    seen.finish = chunk.choices[0]?.finish_reason ?? seen.finish;
  }
  return seen;
}

// Whether it becomes true within some seconds.
async function soon(ask) {
  for (let i = 0; i < 30; ++i) {
    if (await ask()) return true;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return false;
}

const tests = {
  async "an answer"() {
    for (const client of [openai("vk-open"), azure("vk-open")]) {
      const { data, response } = await client.chat.completions.create(ask).withResponse();
      assert.equal(response.status, 200);
      assert.ok(data.choices[0].message.content.length > 0);
      assert.equal(data.usage.prompt_tokens, 10);
      assert.equal(response.headers.get("x-weir-backend"), "ptu");
    }
  },

  async "a stream, usage not asked for"() {
    for (const client of [openai("vk-open"), azure("vk-open")]) {
      const stated = () =>
        metric("weir_tokens_total", 'category="output"', 'provenance="provider"');
      const before = await stated();
      const seen = await collect(await client.chat.completions.create({ ...ask, stream: true }));
      assert.ok(seen.text.length > 0 && seen.finish === "stop");
      assert.equal(seen.usages.length, 0);
      // A host of several processes may add them up a little later.
      const booked = async () => (await stated()) > before;
      assert.ok(await soon(booked), "the usage that the provider stated is booked all the same");
    }
  },

  async "a stream, usage asked for"() {
    for (const client of [openai("vk-open"), azure("vk-open")]) {
      const seen = await collect(
        await client.chat.completions.create({
          ...ask,
          stream: true,
          stream_options: { include_usage: true },
        }),
      );
      assert.equal(seen.usages.length, 1);
      assert.equal(seen.usages[0].prompt_tokens, 10);
      assert.ok(seen.usages[0].completion_tokens > 0);
    }
  },

  async "a retry that waits as long as it was told"() {
    const decided = (word) =>
      metric("weir_limit_decisions_total", 'limit="tight"', `decision="${word}"`);
    const client = openai("vk-tight", { maxRetries: 2 });
    await client.chat.completions.create(ask);
    const refused = await decided("refused");
    const began = performance.now();
    const { data, response } = await client.chat.completions.create(ask).withResponse();
    const took = performance.now() - began;
    assert.equal(response.status, 200);
    assert.ok(data.usage.total_tokens > 0);
    assert.equal((await decided("refused")) - refused, 1, "one refusal, one wait, one success");
    assert.ok(took > 300 && took < 3000, `waited ${took} ms`);
  },

  async "a refusal without a retry"() {
    const client = openai("vk-tight");
    const calls = [1, 2, 3].map(() => client.chat.completions.create(ask));
    const results = await Promise.allSettled(calls);
    const refusal = results.find((result) => result.status === "rejected").reason;
    assert.ok(refusal instanceof OpenAI.RateLimitError);
    assert.equal(refusal.code, "rate_limit_exceeded");
    assert.equal(refusal.type, "requests");
    assert.ok(Number(refusal.headers.get("retry-after-ms")) > 0);
    assert.equal(refusal.headers.get("x-ratelimit-remaining-requests"), "0");
  },

  async "errors are of the right kind"() {
    await assert.rejects(openai("vk-nobody").chat.completions.create(ask), (error) => {
      assert.ok(error instanceof OpenAI.AuthenticationError);
      return error.code === "invalid_api_key";
    });
    const nobody = azure("vk-nobody").chat.completions.create(ask);
    await assert.rejects(nobody, OpenAI.AuthenticationError);
    const open = openai("vk-open");
    await assert.rejects(
      open.chat.completions.create({ ...ask, model: "o3-pro" }),
      OpenAI.PermissionDeniedError,
    );
    await assert.rejects(open.chat.completions.create({ ...ask, max_tokens: -1 }), (error) => {
      assert.ok(error instanceof OpenAI.BadRequestError);
      return error.param === "max_tokens";
    });
    await assert.rejects(open.embeddings.create({ model: "x", input: "y" }), OpenAI.NotFoundError);
  },

  async "a stream that breaks is noticed"() {
    const headers = { "x-upstream-fault": "reset=3" };
    const stream = await openai("vk-open").chat.completions.create(
      { ...ask, stream: true },
      { headers },
    );
    await assert.rejects(collect(stream), OpenAI.APIError);
  },

  async "a client that leaves"() {
    const left = () => metric("weir_requests_total", 'status="499"');
    const before = await left();
    const headers = { "x-upstream-fault": "stall=4" };
    const client = openai("vk-open");
    const stream = await client.chat.completions.create({ ...ask, stream: true }, { headers });
    for await (const chunk of stream) {
      if (chunk.choices[0]?.delta?.content) break;
    }
    stream.controller.abort();
    for (let i = 0; i < 100 && (await left()) === before; ++i) await sleep(50);
    assert.equal((await left()) - before, 1, "the transaction was settled");
    await client.chat.completions.create(ask);
  },
};

let failed = 0;
for (const [name, test] of Object.entries(tests)) {
  try {
    await test();
    console.log(`ok: ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED: ${name}: ${error.stack ?? error}`);
  }
}
process.exit(failed === 0 ? 0 : 1);
