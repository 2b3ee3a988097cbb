(() => {
  "use strict";
  // The style sheet shows sliders only below this class. Each notebook cell brings this script, but
  // one of them listens for all.
  document.documentElement.classList.add("eli5-live");
  if (window.eli5Live) return;
  window.eli5Live = true;

  document.addEventListener("input", ({ target }) => {
    const root = target.closest(".eli5-explanation");
    if (!root) return;
    if (target.localName === "select") {
      arrange(root);
    } else if (target.type === "range") {
      setOpacity(target.closest(".eli5-card") || root, target.value);
    } else if (target.type === "checkbox") {
      root.classList.toggle("eli5-apart", !target.checked);
      if (target.checked) setOpacity(root, root.querySelector("[type=range]").value);
    }
  });

  document.addEventListener("click", ({ target }) => {
    const card = target.closest(".eli5-gallery .eli5-card");
    if (card && target.matches(".eli5-enlarge, .eli5-picture")) enlarge(card);
  });

  document.addEventListener("keydown", ({ key, target }) => {
    const card = key === "Escape" && target.closest(".eli5-large");
    if (card) enlarge(card);
  });

  // On paper nobody chooses a class: each gets a picture of its own, for as long as it is printed.
  addEventListener("beforeprint", () => {
    for (const layer of document.querySelectorAll("input:not(:checked) + .eli5-layer")) {
      const label = layer.closest("label.eli5-target");
      if (!label) continue;
      const figure = document.createElement("div");
      figure.className = "eli5-printed";
      const picture = label.closest(".eli5-card").querySelector(".eli5-picture");
      const outlines = label.querySelectorAll(":scope > .eli5-outline:not(input + *)");
      figure.append(...[picture, layer, ...outlines].map((one) => one.cloneNode()));
      label.append(figure);
    }
  });
  addEventListener("afterprint", () => {
    for (const figure of document.querySelectorAll(".eli5-printed")) figure.remove();
  });

  function arrange(root) {
    const value = (selector) => root.querySelector(selector)?.value;
    const [chosen, order] = [value(".eli5-class"), value(".eli5-order") ?? "number"];
    const grid = root.querySelector(".eli5-grid");
    const cards = [...grid.children].sort((one, other) => compare(order, one.dataset, other.dataset));
    for (const card of cards) card.hidden = Boolean(chosen) && card.dataset.class !== chosen;
    grid.append(...cards);
    const shown = cards.filter((card) => !card.hidden).length;
    const of = shown < cards.length ? ` of ${cards.length}` : "";
    const noun = cards.length === 1 ? "explanation" : "explanations";
    root.querySelector(".eli5-count").textContent = `${shown}${of} ${noun}`;
  }

  // Numbers from the highest down, but for the place; texts from A to Z; what has none at the end.
  function compare(order, one, other) {
    const [a, b] = [one[order], other[order]];
    if (a === b) return one.number - other.number;
    if (a === undefined || b === undefined) return a === undefined ? 1 : -1;
    if (order === "number") return a - b;
    if (order === "name" || isNaN(a) || isNaN(b)) {
      return a.localeCompare(b, undefined, { numeric: true });
    }
    return b - a;
  }

  function enlarge(card) {
    const isLarge = card.classList.toggle("eli5-large");
    card.querySelector(".eli5-enlarge").setAttribute("aria-pressed", isLarge);
    card.scrollIntoView({ block: "nearest" });
  }

  function setOpacity(scope, percent) {
    for (const card of scope.querySelectorAll(".eli5-card")) {
      card.style.removeProperty("--eli5-opacity");
    }
    scope.style.setProperty("--eli5-opacity", percent / 100);
    for (const slider of scope.querySelectorAll("[type=range]")) {
      slider.value = percent;
      slider.nextElementSibling.value = `${percent} %`;
    }
  }
})();
