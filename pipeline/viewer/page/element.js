// Elements of the page. What comes from a stream is text, never markup.

/** The element with this id; it is in index.html. */
export const byId = (id) => document.getElementById(id);

/** A new element with properties, attributes (`aria-…`, `data-…`, `role`, `scope`) and children. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (/^(aria-|data-|role$|scope$)/.test(name)) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

/** Set text only where it changes: no work for the browser, no words for a screen reader. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Set an attribute only where it changes. */
export function mark(element, name, value) {
  const text = String(value);
  if (element.getAttribute(name) !== text) element.setAttribute(name, text);
}

/** Make `parent`'s children exactly `wanted`, in order, moving as few as possible. */
export function arrange(parent, wanted) {
  const keep = new Set(wanted);
  for (const child of [...parent.children]) if (!keep.has(child)) child.remove();
  wanted.forEach((child, index) => {
    if (parent.children[index] !== child) parent.insertBefore(child, parent.children[index] ?? null);
  });
}
