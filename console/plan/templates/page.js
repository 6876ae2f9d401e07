const search = document.getElementById("search"), found = document.getElementById("found");
const events = [...document.querySelectorAll("article")].map(one => [one, one.textContent.toLowerCase()]);
search.addEventListener("input", () => {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const [one, text] of events) {
    one.hidden = !words.every(word => text.includes(word));
    if (!one.hidden) count++;
  }
  found.textContent = words.length ? `${count} of ${events.length}` : "";
});
