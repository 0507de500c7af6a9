"""A person with the `irc` package: tells what happens, a line each, and does what the lines of its input say."""
import sys
import threading

import irc.client


def tell(*words):
    print(*words, flush=True)


host, port, nick, room = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
reactor = irc.client.Reactor()
connection = reactor.server().connect(host, port, nick)


def said(_, event):
    tell(event.type, event.target, event.source.nick, event.arguments[0])


def seen(_, event):
    tell(event.type, event.target, event.source.nick, *event.arguments)


connection.add_global_handler("welcome", lambda connection, _: connection.join(room))
connection.add_global_handler("endofnames", lambda _, event: tell("on", event.arguments[0]))
for kind in ("pubmsg", "privmsg", "action"):
    connection.add_global_handler(kind, said)
for kind in ("join", "part", "kick", "nick", "quit", "topic"):
    connection.add_global_handler(kind, seen)


def obey():
    for line in sys.stdin:
        verb, _, rest = line.rstrip("\n").partition(" ")
        if verb == "say":
            connection.privmsg(room, rest)
        elif verb == "tell":
            connection.privmsg(*rest.split(" ", 1))
        elif verb == "nick":
            connection.nick(rest)
        elif verb == "join":
            connection.join(rest)
        elif verb == "quit":
            connection.quit("bye")


threading.Thread(target=obey, daemon=True).start()
while connection.is_connected():
    reactor.process_once(timeout=0.1)
tell("gone")
