/* Which product a page is about, as shops tell search engines: schema.org's Product in JSON-LD, and og:image. */

export function readPage(page) {
  const product = findProduct(page);
  const image = [product?.image].flat()[0];
  return {
    product: String(product?.sku ?? product?.productID ?? "") || null,
    image: (typeof image === "object" ? image?.url : image) ?? page.querySelector('meta[property="og:image"]')?.content ?? null,
  };
}

function findProduct(page) {
  for (const script of page.querySelectorAll('script[type="application/ld+json"]')) {
    try {
      const data = JSON.parse(script.textContent);
      const things = [data, data["@graph"] ?? []].flat(2);
      const product = things.find((thing) => [thing?.["@type"]].flat().includes("Product"));
      if (product) return product;
    } catch {
      continue; // somebody else's mistake
    }
  }
  return null;
}
