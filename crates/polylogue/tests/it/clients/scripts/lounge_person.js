// A user of The Lounge: what the page in the browser does, without the page. Tells what it is shown, a line each, and
// does what the lines of its input say.
const { io } = require("socket.io-client");
const socket = io(process.argv[2]);
const channels = new Map();
const tell = (...words) => console.log(words.join(" "));
const shown = ({ type, from, text }) =>
  ["message", "action", "notice"].includes(type) ? [(from && from.nick) + "|" + text] : [];
const see = network => network.channels.forEach(channel => channels.set(channel.id, channel.name));
const lobby = () => Math.min(...channels.keys());
const id = name => ([...channels].find(([, known]) => known === name) || [])[0];
const show = messages => tell(["top of the window", ...messages.flatMap(shown), "end of the window"].join("\n"));
let showing = false;

socket.on("auth:start", () => socket.emit("auth:perform", { user: "lou", password: "secret" }));
socket.on("auth:failed", () => { tell("wrong password"); process.exit(1); });
socket.on("init", ({ networks }) => { networks.forEach(see); tell("ready"); });
socket.on("network", ({ network }) => see(network));
socket.on("join", ({ chan }) => channels.set(chan.id, chan.name));
socket.on("part", ({ chan }) => { tell("left", channels.get(chan)); channels.delete(chan); });
// The names of who is there come when it has come in.
socket.on("users", ({ chan }) => socket.emit("names", { target: chan }));
socket.on("names", ({ id, users }) => { if (users.length > 0) tell("joined", channels.get(id)); });
socket.on("msg", ({ chan, msg }) => tell("seen", channels.get(chan), msg.from && msg.from.nick, msg.text));
socket.on("more", ({ messages }) => {
  if (!showing) return;
  showing = false;
  show(messages);
});

require("readline").createInterface({ input: process.stdin }).on("line", line => {
  const [verb, ...rest] = line.split(" ");
  if (verb === "connect") {
    const [host, port, nick, password] = rest;
    const network = { name: "test", host, port, nick, username: nick, realname: nick, tls: false, join: "" };
    const login = password ? { sasl: "plain", saslAccount: nick, saslPassword: password } : { sasl: "" };
    socket.emit("network:new", { ...network, ...login, rejectUnauthorized: false, password: "", leaveMessage: "" });
  }
  if (verb === "input") socket.emit("input", { target: lobby(), text: rest.join(" ") });
  if (verb === "show" && id(rest[0]) === undefined) return show([]);
  if (verb === "show") { showing = true; socket.emit("more", { target: id(rest[0]), lastId: -1 }); }
});
