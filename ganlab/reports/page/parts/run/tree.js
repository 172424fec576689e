// The run's configuration as a tree, in which differences from the defaults are marked.

let showsDifferences = false;

const changedIn = (entry) => entry.changed || (entry.inner || []).some(changedIn);
const countIn = (entries, isCounted) =>
  entries.reduce((sum, entry) => sum + (entry.inner ? countIn(entry.inner, isCounted) : (isCounted(entry) ? 1 : 0)), 0);

function leafOf(entry) {
  const value = el("span", { className: "setting-value", textContent: entry.text });
  const parts = [el("span", { className: "key" }, ...broken(entry.key)), value];
  if (entry.changed) {
    const text = entry.default === undefined ? "not among the defaults" : `default: ${entry.default}`;
    parts.push(el("span", { className: "default", textContent: text }));
  }
  return el("li", { className: entry.changed ? "leaf changed" : "leaf" }, ...parts);
}

// Make the items of entries; parts that hold differences are unfolded.
function itemsOf(entries) {
  return entries.filter((entry) => !showsDifferences || changedIn(entry)).map((entry) => {
    if (!entry.inner) return leafOf(entry);
    const inside = countIn(entry.inner, (leaf) => leaf.changed);
    const summary = el("summary", {}, ...broken(entry.key), inside ? el("small", { textContent: ` ${inside} changed` }) : null);
    const list = el("ul", {});
    const node = el("details", { open: inside > 0 }, summary, list);
    const fill = () => node.open && !list.children.length && list.append(...itemsOf(entry.inner));
    node.addEventListener("toggle", fill);
    fill();
    return el("li", {}, node);
  });
}

function drawTree() {
  const list = itemsOf(page.settings.tree);
  byId("tree").replaceChildren(list.length ? el("ul", { className: "tree" }, ...list) : notice("Nothing differs."));
}

function startTree() {
  const { tree, compared, why } = page.settings;
  byId("compared").textContent = compared
    ? `Compared with what “${compared}” gives in ganlab ${page.version}. Name, seed, and folders are not compared.`
    : `Differences from the defaults are not known. ${why}`;
  if (!tree.length) return;
  if (compared) {
    const only = el("button", {
      type: "button", id: "only-differences", textContent: "Only differences", "aria-pressed": "false",
      onclick: () => {
        showsDifferences = !showsDifferences;
        only.setAttribute("aria-pressed", String(showsDifferences));
        drawTree();
      },
    });
    const changed = countIn(tree, (leaf) => leaf.changed);
    const text = `${changed} of ${countIn(tree, () => true)} settings differ`;
    byId("setting-controls").append(only, el("span", { className: "quiet", textContent: text }));
  }
  drawTree();
}
