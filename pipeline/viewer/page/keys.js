// The keyboard, wherever the focus is.

import { byId } from "./element.js";
import { flip } from "./layers.js";

const LAYERS = { m: "masks", b: "boxes", l: "labels", t: "trails" };

/** Tie the keys to the page. */
export function listen(layers, wall) {
  byId("help").addEventListener("click", () => byId("keys").showModal());
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key; // also with Caps Lock
    if (press(key, layers, wall)) event.preventDefault();
  });
}

function press(key, layers, wall) {
  if (LAYERS[key]) flip(layers, LAYERS[key]);
  else if (/^[1-9]$/.test(key) && wall.tiles.size >= Number(key)) wall.open([...wall.tiles.keys()][key - 1]);
  else if (key === "Escape" && wall.large.value !== null) wall.open(null);
  else if (key === "ArrowRight") return wall.next(1);
  else if (key === "ArrowLeft") return wall.next(-1);
  else if (key === "?") byId("keys").showModal();
  else return false;
  return true;
}
