// A person with the npm package irc-framework: tells what happens, a line each, and does what its input says.
const { Client } = require("irc-framework");
const [host, port, nick, room] = process.argv.slice(2);
const client = new Client();
const tell = (...words) => console.log(words.join(" "));
client.on("registered", () => client.join(room));
client.on("userlist", ({ channel }) => tell("on", channel));
client.on("privmsg", ({ target, nick, message }) =>
  tell(target.startsWith("#") ? "pubmsg" : "privmsg", target, nick, message));
client.on("action", ({ target, nick, message }) => tell("action", target, nick, message));
client.on("join", ({ channel, nick }) => tell("join", channel, nick));
client.on("part", ({ channel, nick }) => tell("part", channel, nick));
client.on("quit", ({ nick, message }) => tell("quit", nick, message));
client.on("kick", ({ channel, nick, kicked, message }) => tell("kick", channel, nick, kicked, message));
client.on("nick", ({ nick, new_nick }) => tell("nick", new_nick, nick));
client.on("topic", ({ channel, topic }) => tell("topic", channel, topic));
client.on("close", () => { tell("gone"); process.exit(0); });
const lines = require("readline").createInterface({ input: process.stdin });
lines.on("line", line => {
  const [verb, ...rest] = line.split(" ");
  if (verb === "say") client.say(room, rest.join(" "));
  if (verb === "tell") client.say(rest[0], rest.slice(1).join(" "));
  if (verb === "nick") client.changeNick(rest[0]);
  if (verb === "join") client.join(rest[0]);
  if (verb === "quit") client.quit("bye");
});
client.connect({ host, port: Number(port), nick, auto_reconnect: false });
