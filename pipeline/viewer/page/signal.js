// A value that others follow.

/** Holds a value; `set` tells everyone who asked to be told. */
export class Signal {
  #followers = new Set();

  constructor(value) {
    this.value = value;
  }

  set(value) {
    this.value = value;
    for (const follow of this.#followers) follow(value);
  }

  follow(follow) {
    this.#followers.add(follow);
  }
}
