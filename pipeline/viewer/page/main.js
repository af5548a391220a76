// Ties the parts together: what comes from the link goes to the store and the wall, and what the
// store knows goes to the panels.

import { Charts } from "./charts.js";
import { Highlight } from "./highlight.js";
import { listen } from "./keys.js";
import { Lanes } from "./lanes.js";
import { layerSwitches } from "./layers.js";
import { Link } from "./link.js";
import { EventLog } from "./log.js";
import { Notice } from "./notice.js";
import { Scenes } from "./scenes.js";
import { Store } from "./store.js";
import { StreamTable } from "./streams.js";
import { askForToken, token } from "./token.js";
import { TrackList } from "./tracklist.js";
import { Wall } from "./wall.js";

const TICK_MS = 250;
const LANES_MS = 66;

const store = new Store();
const highlight = new Highlight();
const layers = layerSwitches();
const list = new TrackList(store, highlight);
const lanes = new Lanes(store, highlight);
const charts = new Charts(store);
const log = new EventLog(store);

const scenes = new Scenes(
  (scene) => {
    const tile = wall.tiles.get(scene.stream);
    if (tile && !tile.element.hidden) tile.show(scene);
    else link.drawn(scene.stream);
  },
  (stream) => link.drawn(stream),
);

const link = new Link({
  token,
  ask: askForToken,
  receive: (said) => store[said.type]?.(said),
  picture: (buffer) => scenes.take(buffer),
});

const wall = new Wall({
  layers,
  highlight,
  look: (streams) => link.look(streams),
  drawn: (scene) => {
    link.drawn(scene.stream);
    list.drawn(scene);
  },
});

const streams = new StreamTable(store, (name) => wall.open(name));
const notice = new Notice(store, link);

function showPanels() {
  const { shown } = wall;
  list.update(shown);
  lanes.update(shown);
  charts.update(shown);
  log.update(shown);
  streams.update();
}

store.changed.follow(() => {
  wall.update(store.streams, store.now());
  showPanels();
});
wall.large.follow(showPanels);
layers.follow(() => wall.soil());
highlight.changed.follow(() => {
  wall.soil();
  lanes.draw();
});

let lanesDrawn = 0;
function everyFrame(time) {
  wall.draw();
  if (time - lanesDrawn > LANES_MS) {
    lanesDrawn = time;
    lanes.draw();
  }
  requestAnimationFrame(everyFrame);
}

listen(layers, wall);
setInterval(() => notice.update(), TICK_MS);
requestAnimationFrame(everyFrame);
link.open();
