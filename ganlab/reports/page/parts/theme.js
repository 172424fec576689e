// The button that chooses between the light and the dark theme.

const THEMES = { auto: "Theme: system", light: "Theme: light", dark: "Theme: dark" };

function startTheme() {
  const button = byId("theme");
  const names = Object.keys(THEMES);
  let theme = "auto";
  const show = () => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.textContent = THEMES[theme];
  };
  button.addEventListener("click", () => {
    theme = names[(names.indexOf(theme) + 1) % names.length];
    show();
    refreshPlots();
  });
  show();
}
