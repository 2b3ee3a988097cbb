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
    if (target.type === "range") {
      setOpacity(target.closest(".eli5-card") || root, target.value);
    } else if (target.type === "checkbox") {
      root.classList.toggle("eli5-apart", !target.checked);
      if (target.checked) setOpacity(root, root.querySelector("[type=range]").value);
    }
  });

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
