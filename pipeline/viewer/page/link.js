// The connection to our server: it comes back by itself, and notices when nothing comes.

import { Signal } from "./signal.js";

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 4000;
const SILENCE_MS = 4000; // news come four times a second
const WRONG_TOKEN = 4401;
const TOO_MANY = 4429;

export class Link {
  state = new Signal({ is: "connecting", why: "", since: Date.now() });
  #socket = null;
  #wait = FIRST_WAIT_MS;
  #heard = 0;
  #look = null;

  /** `receive` gets what is said, `picture` gets ArrayBuffers, `ask` resolves to another token. */
  constructor({ token, receive, picture, ask }) {
    Object.assign(this, { token, receive, picture, ask });
  }

  open() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/live`);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => socket.send(JSON.stringify({ type: "hello", token: this.token() }));
    socket.onmessage = ({ data }) => this.#take(data);
    socket.onclose = ({ code, reason }) => this.#lost(code, reason);
    this.#socket = socket;
    this.#heard = performance.now();
    const watch = setInterval(() => {
      if (socket !== this.#socket) clearInterval(watch);
      else if (performance.now() - this.#heard > SILENCE_MS) this.#drop(socket);
    }, 500);
  }

  /** Say which streams are looked at; said again after a break. */
  look(streams) {
    this.#look = streams;
    this.#say({ type: "look", streams });
  }

  /** A picture of `stream` is on the screen: the next may come. */
  drawn(stream) {
    this.#say({ type: "drawn", stream });
  }

  #say(words) {
    if (this.#socket?.readyState === WebSocket.OPEN && this.state.value.is === "open") {
      this.#socket.send(JSON.stringify(words));
    }
  }

  #take(data) {
    this.#heard = performance.now();
    if (typeof data !== "string") return this.picture(data);
    const said = JSON.parse(data);
    if (said.type === "welcome") {
      this.#wait = FIRST_WAIT_MS;
      this.#turn("open");
      if (this.#look) this.look(this.#look);
    }
    this.receive(said);
  }

  /** A connection that is only half there: its closing handshake would take for ever. */
  #drop(socket) {
    socket.onmessage = socket.onclose = null;
    socket.close();
    this.#lost(0);
  }

  async #lost(code, reason = "") {
    this.#socket = null;
    if (code === WRONG_TOKEN) {
      this.#turn("refused");
      await this.ask();
    } else {
      this.#turn("lost", code === TOO_MANY ? reason : "");
      await new Promise((resolve) => setTimeout(resolve, this.#wait));
      this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT_MS);
    }
    this.open();
  }

  /** `why`: the server's words, when it has no room. */
  #turn(is, why = "") {
    const { value } = this.state;
    if (value.is !== is || value.why !== why) this.state.set({ is, why, since: value.is === is ? value.since : Date.now() });
  }
}
