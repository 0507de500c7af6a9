// A person with `irc-framework` who reads the past (draft/chathistory): a line for each message of it, and one for the
// end of each part. The lines of its input are sent, with times for `@milliseconds`.
const { Client } = require("irc-framework");
const [host, port, nick, room] = process.argv.slice(2);
const client = new Client();
const tell = (...words) => console.log(words.join("|"));
const kinds = ["privmsg", "action", "notice"];
client.requestCap(["draft/chathistory", "echo-message"]);
client.on("registered", () => client.join(room));
client.on("userlist", ({ channel }) => tell("on", channel));
kinds.forEach(kind => client.on(kind, ({ nick, message, time, tags, batch, target }) => {
  const past = batch && batch.type === "chathistory" && batch.params[0] === target;
  tell(past ? "past" : "now", kind, time, tags.msgid, nick, message);
}));
client.on("batch end chathistory", ({ params, commands }) => tell("end", params[0], commands.length));
client.on("unknown command", ({ command, params }) => tell("unknown", command, ...params));
client.on("close", () => { tell("gone"); process.exit(0); });
require("readline").createInterface({ input: process.stdin }).on("line", line =>
  client.raw(line.replace(/@(\d+)/, (_, ms) => new Date(Number(ms)).toISOString())));
client.connect({ host, port: Number(port), nick, auto_reconnect: false });
