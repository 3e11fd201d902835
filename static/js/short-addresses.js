/* Keeps empty fields of a search out of the address, so that it can be read and shared.
 *
 *   <form method="get" role="search">…</form>
 */

// Both the browser and htmx ask the form for its entries.
document.addEventListener("formdata", ({ target, formData }) => {
  if (!target.matches("form[method=get][role=search]")) return;
  for (const name of new Set(formData.keys())) {
    const values = formData.getAll(name).filter((value) => value !== "");
    formData.delete(name);
    for (const value of values) formData.append(name, value);
  }
});
