// Writes vectors.jsonl: texts of the project's own with the ids that real tiktoken gives them.
//
// usage: npm install tiktoken@1.0.22 (anywhere), then
//        NODE_PATH=that/node_modules node make_vectors.mjs
//
// One line per text: {"name": …, "text": …, "cl100k_base": [ids], "o200k_base": [ids]}.

import { createRequire } from "node:module";
import { writeFileSync } from "node:fs";

const { get_encoding } = createRequire(import.meta.url)(
  process.env.NODE_PATH ? process.env.NODE_PATH + "/tiktoken" : "tiktoken");

const texts = {
  empty: "",
  one_letter: "a",
  hello: "Hello, world! Tokens are counted here.",
  contractions: "I'm sure they're here; we've said he'd go, it's what she'll do, can't it?",
  contractions_upper: "DON'T I'M YOU'RE WE'VE IT'S HE'D SHE'LL O'CLOCK",
  contractions_odd: "'s'S'll x'r y'v 'r 'l 're'RE'Re 'lL'Ll ''s '' ' 'x it''s 've've",
  contraction_long_s: "it'\u017f it'\u017ft DON'\u017f '\u017f",
  contraction_kelvin: "5\u212a's \u212a'll \u212aelvin",
  contraction_after_symbol: "$'s %'ll \u{1f600}'s 7's \u4e2d's \u0301's _'s",
  camel: "camelCase PascalCase HTTPServer XMLHttpRequest iOS eBay McDonald aB aBC ABc",
  title_letters: "\u01c5ungla \u01c5A \u01c5\u01c5a A\u01c5b \u1f88\u03b1 \u01c8\u01cb",
  modifier_letters: "a\u02b0B \u02b0ABC AB\u02b0CD \u02b0\u02b0 A\u02b0b!\u02b0 ABC\u02b0",
  other_letters: "\u4e2dABC AB\u4e2dCD AB\u4e2d\u6587cd \u05d0A \u05d0a A\u05d0",
  marks: "\u0301ABC \u0301abc e\u0301 E\u0301A !\u0301 !!\u0301x \u0301\u0301\u0301 \u0301",
  marks_kinds: "\u0915\u093f\u0915\u093e \u20dd\u20dd A\u20ddB a\u20ddb 1\u20e3 \u0903\u0903 \u0903X",
  leading_chars: "\tword \u00a0word \u3000word \u0000word -word --word (word) \u00adword",
  numbers: "1 12 123 1234 12345 1234567 3.14159 1,000,000 2024-01-31 0x1F \u00bd\u00be \u2167\u2168",
  numbers_scripts: "\u0661\u0662\u0663\u0664 \u096a\u096b\u096c\u096d \uff11\uff12\uff13\uff14 \u2460\u2461\u2462\u2463 \u3007",
  spaces: " a  b   c    d     e ",
  spaces_only: "      ",
  space_then_newline: "a \n b  \n  c\n\n d \n \n e   \n",
  newlines: "a\nb\n\nc\n\n\nd\n\n\n\n\n\n\n\n",
  crlf: "a\r\nb\r\n\r\nc\r\rd\n\re \r\n \r\n f",
  tabs: "\ta\t\tb\t \tc \t d\t\n\te",
  whitespace_unicode: "a\u0085b\u1680c\u2000d\u2028e\u2029f\u202fg\u205fh\u3000i\u000bj\u000ck",
  whitespace_not: "a\ufeffb\u200bc\u180ed\u2060e \ufefff \u200bg",
  bom_first: "\ufeffHello",
  nbsp_runs: "a\u00a0\u00a0b \u00a0c\u00a0 d\u00a0\u00a0\u00a0",
  mixed_whitespace: " \u00a0\n\u3000 \t\u2028\n x\u0085\n\u0085y \u2003\u2003!\u2003\u2003",
  punctuation: "!? ... --- *** ### $$$ %% && || == != <= >= => -> :: ;; {}[]() @#^~`\\|/\"'",
  punctuation_newline: "end.\n\nnext!\r\n(x)\n;\n//\n",
  slashes: "a/b/c //comment /* x */ !\n/\n/ ?/\r\n/x http://example.org/a/b?c=d#e </div>\n/",
  special_literals: "<|endoftext|> <|im_start|>user<|im_sep|>hi<|im_end|> <|fim_prefix|><|endofprompt|>",
  special_harmony: "<|start|>assistant<|channel|>final<|message|>ok<|return|><|call|>",
  chat: "system: You are a helpful assistant.\nuser: What's the capital of France?\nassistant: Paris.",
  english: "The harbour master kept two ledgers, one for the ships and one for the weather; "
    + "in forty years he had never once been asked for the second.",
  code_c: "static int add(const int *a, size_t n) {\n  int sum = 0;\n  for (size_t i = 0; i < n; ++i)"
    + " sum += a[i];\n  return sum;\n}\n",
  code_python: "def fib(n: int) -> int:\n    a, b = 0, 1\n    for _ in range(n):\n"
    + "        a, b = b, a + b\n    return a\n\n\nprint([fib(i) for i in range(10)])\n",
  code_js: "export const f = async (x) => { await g(`${x}?.y ?? 'z'`); };\n// TODOs aren't here\n",
  json: "{\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"temperature\":0.7}",
  html: "<!DOCTYPE html>\n<html lang=\"en\"><body class='x'><p>5 &lt; 6 &amp; 7</p></body></html>",
  log: "2025-03-09T12:34:56.789Z INFO  [worker-17] 10.1.2.3 GET /v1/chat 200 1532ms id=7f3a9c\n",
  uuid: "550e8400-e29b-41d4-a716-446655440000 DEADBEEF cafebabe 0xdeadbeef",
  base64: "TG9yZW0gaXBzdW0gZG9sb3Igc2l0IGFtZXQsIGNvbnNlY3RldHVyIGFkaXBpc2NpbmcgZWxpdA==",
  german: "Grüße aus Österreich: die Donaudampfschifffahrtsgesellschaft fährt morgen früh.",
  french: "L'été dernier, j'ai vu où naît l'Œuvre — « c'était ça », dit-elle.",
  spanish: "¿Cuántos años tiene el niño? ¡Mañana será otro día, señor Núñez!",
  polish: "Zażółć gęślą jaźń, a potem zjedz śniadanie w Łodzi.",
  turkish: "İstanbul'da ılık bir ağaç gölgesi; ŞIK IŞIK ığdır.",
  vietnamese: "Tiếng Việt có nhiều dấu thanh, ví dụ: nghiêng ngả, thưởng thức.",
  russian: "Съешь ещё этих мягких французских булок, да выпей же чаю. МОСКВА'с",
  greek: "Ο ήλιος ανατέλλει ΝΩΡΙΣ το πρωί· ὁ λόγος ἦν.",
  hebrew: "שלום עולם, זה מבחן של ספירה. בְּרֵאשִׁית",
  arabic: "مرحبا بالعالم، هذا اختبار للعدّ. ٣٫١٤",
  persian: "می‌خواهم کتاب‌ها را بخوانم؛ ۱۴۰۳",
  hindi: "नमस्ते दुनिया, यह गिनती की परीक्षा है। क्षत्रिय",
  bengali: "আমি বাংলায় গান গাই, ১২৩৪।",
  tamil: "வணக்கம் உலகம், இது ஒரு சோதனை.",
  thai: "สวัสดีชาวโลก นี่คือการทดสอบการนับคำ",
  georgian: "გამარჯობა მსოფლიო ᲛᲗᲐᲕᲠᲣᲚᲘ",
  armenian: "Բարեւ աշխարհ, ՄԵԾ տառեր",
  amharic: "ሰላም ለዓለም ፩፪፫",
  khmer: "សួស្តី​ពិភពលោក",
  tibetan: "བཀྲ་ཤིས་བདེ་ལེགས།",
  chinese: "你好，世界！这是一个用来计数的句子。二〇二五年三月。",
  chinese_traditional: "龍門陣裡說書人，臺灣的雨季很長。",
  japanese: "こんにちは世界。カタカナとひらがな、漢字ー々〆、ﾊﾝｶｸ。",
  korean: "안녕하세요 세계, 이것은 토큰을 세는 시험입니다.",
  mixed_scripts: "Hello мир 世界 שלום नमस्ते café naïve Ωmega Straße",
  emoji: "😀😃 👍🏽 👩‍👩‍👧‍👦 🏳️‍🌈 🇫🇷🇯🇵 ❤️ ☺ 1️⃣ #️⃣",
  emoji_words: "ok👍ok 👍OK's 🎉🎉done 🤖:bot",
  symbols: "€100 £5 ¥300 ©®™ ½ ∑∫√∞ ≠≤≥ →⇒ ★☆ ♪♫ §¶",
  math_letters: "𝐀𝐁𝐜𝐝 𝒳𝓎 𝔸𝕓 𝟏𝟐𝟑𝟒 𝛂𝚨",
  ipa: "/ˈfoʊnɪks/ [ʃtʁaːsə] tʃʰa",
  superscripts: "x² + y³ = z⁴ H₂O CO₂ aᵇᶜ ⁿ",
  combining: "Z̷a̷l̷g̷o̷ á̂̃ q̈x",
  controls: "a\u0000b\u0001\u0002c\u001b[31mred\u001b[0m\u007f\u0080\u009f",
  noncharacters: "a\uffffb\ufffec\ufdd0d\u{1fffe}e\u{10ffff}",
  private_use: "\ue000\uf8ff\u{f0000}\u{100000} \ue000a's",
  replacement: "a\ufffdb\ufffd\ufffd's \ufffd",
  unicode16_letters: "\u1c89's \u{10d40}'s \u{105c0}'s \u{16d40}'s \u{2ebf0}'s \u1c8a \u{1ccd6}",
  unicode17_unassigned: "\u088f's \u0c5c's \ua7ce's \u{10940}'s \u{11db0}'s \u{16ea0}'s \u{323b0}'s \u{33479}'s",
  unicode16_numbers: "\u{10d40}\u{10d41}\u{10d42}\u{10d43} \u{116d0}\u{116d1}\u{116d2}\u{116d3}",
  deseret: "𐐔𐐯𐑅𐐨𐑉𐐯𐐻 𐐀𐐁𐐂",
  cherokee: "ᏣᎳᎩ ꮳꮃꭹ",
  gothic: "𐌲𐌿𐍄𐌹𐍃𐌺",
  adlam: "𞤀𞤁𞤂 𞤢𞤣𞤤 𞥑𞥒𞥓𞥔",
  run_a: "a".repeat(300),
  run_upper: "A".repeat(257),
  run_space: " ".repeat(300) + "x",
  run_newline: "\n".repeat(200),
  run_tab: "\t".repeat(130) + "x",
  run_caret: "^".repeat(150),
  run_cjk: "中".repeat(90),
  run_emoji: "😀".repeat(70),
  run_mark: "e" + "\u0301".repeat(100),
  run_digits: "0".repeat(200),
  run_alternating: "ab".repeat(100) + "aB".repeat(60),
};

// Characters of every class, drawn by a fixed generator (SplitMix64).
const pool = [..."aZé中ʰǅ\u0301\u0903 \u00a0\u3000\n\r\t'sT79½/!.\u{1f600}\ufeff\u017fſЯя\u05d0"];
let state = 20250309n;
const mask = (1n << 64n) - 1n;
function random(bound) {
  state = (state + 0x9e3779b97f4a7c15n) & mask;
  let z = state;
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & mask;
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & mask;
  return Number((z ^ (z >> 31n)) % BigInt(bound));
}
for (let i = 0; i < 24; ++i) {
  let text = "";
  for (let n = 8 + random(50); n > 0; --n) text += pool[random(pool.length)];
  texts[`random_${i}`] = text;
}

const encodings = ["cl100k_base", "o200k_base"].map((name) => [name, get_encoding(name)]);
const lines = Object.entries(texts).map(([name, text]) => {
  const line = { name, text };
  for (const [encoding, tokenizer] of encodings) {
    line[encoding] = [...tokenizer.encode_ordinary(text)];
  }
  return JSON.stringify(line).replace(/[\u007f-\uffff]/g,
    (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
});
writeFileSync(new URL("vectors.jsonl", import.meta.url), lines.join("\n") + "\n");
console.log(`${lines.length} texts`);
