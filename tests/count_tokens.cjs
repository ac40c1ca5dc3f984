// The numbers of tokens of the texts in a JSON list on stdin, by the vocabulary that the first argument names.
const { Tiktoken } = require("js-tiktoken/lite");
const encoding = new Tiktoken(require(`js-tiktoken/ranks/${process.argv[2]}`));
const texts = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(texts.map((text) => encoding.encode(text, [], []).length)));
