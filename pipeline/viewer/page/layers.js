// What is drawn over the pictures: four switches, remembered in this browser.

import { byId, mark } from "./element.js";
import { Signal } from "./signal.js";

const KEPT = "maskstream-layers";
const AT_FIRST = { masks: true, boxes: false, labels: true, trails: true };

/** A Signal of { masks, boxes, labels, trails }, with the switches of the page tied to it. */
export function layerSwitches() {
  const layers = new Signal({ ...AT_FIRST, ...remembered() });
  const buttons = [...byId("layers").querySelectorAll("button")];
  const show = (value) => buttons.forEach((button) => mark(button, "aria-pressed", value[button.dataset.layer]));
  for (const button of buttons) button.addEventListener("click", () => flip(layers, button.dataset.layer));
  layers.follow(show);
  layers.follow((value) => localStorage.setItem(KEPT, JSON.stringify(value)));
  show(layers.value);
  return layers;
}

/** Switch one layer on or off. */
export function flip(layers, name) {
  layers.set({ ...layers.value, [name]: !layers.value[name] });
}

function remembered() {
  try {
    return JSON.parse(localStorage.getItem(KEPT)) ?? {};
  } catch {
    return {};
  }
}
