// What every page has: the switch between light and dark.

const root = document.querySelector('meta[name="circus-root"]')?.content ?? "";
const button = document.querySelector("#theme");
const darkByBrowser = matchMedia("(prefers-color-scheme: dark)");

function isDark() {
  const theme = document.documentElement.dataset.theme;
  return theme ? theme === "dark" : darkByBrowser.matches;
}

function label() {
  button.textContent = isDark() ? "Light" : "Dark";
  button.setAttribute("aria-label", isDark() ? "Use light colours" : "Use dark colours");
}

if (button) {
  button.hidden = false;
  label();
  darkByBrowser.addEventListener("change", label);
  button.addEventListener("click", () => {
    const theme = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    // A cookie, so that the next page comes in these colours at once.
    document.cookie = `circus_theme=${theme}; path=${root || "/"}; max-age=31536000; samesite=lax`;
    label();
  });
}

for (const select of document.querySelectorAll("select[data-submits]"))
  select.addEventListener("change", () => select.form.submit());
