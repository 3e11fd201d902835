"""The operations that Kalas asks Shopify for."""

PRODUCT_FIELDS = """
  id title descriptionHtml onlineStoreUrl status tags updatedAt totalInventory tracksInventory
  category { id name }
  priceRangeV2 { minVariantPrice { amount currencyCode } }
  media(first: 30) { nodes { id alt mediaContentType preview { image { url } } } }
  metafields(first: 50, namespace: "kalas") { nodes { key type value compareDigest } }
"""

PRODUCT = f"query Product($id: ID!) {{ product(id: $id) {{ {PRODUCT_FIELDS} }} }}"
PRODUCTS = f"""query Products($after: String, $query: String) {{
  products(first: 25, after: $after, query: $query, sortKey: ID) {{
    nodes {{ {PRODUCT_FIELDS} }} pageInfo {{ hasNextPage endCursor }}
  }}
  productsCount(query: $query) {{ count }}
}}"""
PRODUCT_IDS = """query ProductIds($after: String) {
  products(first: 250, after: $after, sortKey: ID) {
    nodes { id } pageInfo { hasNextPage endCursor }
  }
}"""
SHOP = "query Shop { shop { name currencyCode } }"
CATEGORIES = """query Categories($search: String!) {
  taxonomy { categories(first: 10, search: $search) { nodes { id name isLeaf } } }
}"""
TAGS_ADD = """mutation TagsAdd($id: ID!, $tags: [String!]!) {
  tagsAdd(id: $id, tags: $tags) { userErrors { field message } }
}"""
TAGS_REMOVE = """mutation TagsRemove($id: ID!, $tags: [String!]!) {
  tagsRemove(id: $id, tags: $tags) { userErrors { field message } }
}"""
PRODUCT_UPDATE = """mutation ProductUpdate($product: ProductUpdateInput!) {
  productUpdate(product: $product) { product { id } userErrors { field message } }
}"""
FILE_UPDATE = """mutation FileUpdate($files: [FileUpdateInput!]!) {
  fileUpdate(files: $files) { userErrors { field message code } }
}"""
METAFIELDS_SET = """mutation MetafieldsSet($metafields: [MetafieldsSetInput!]!) {
  metafieldsSet(metafields: $metafields) { userErrors { field message code } }
}"""
METAFIELDS_DELETE = """mutation MetafieldsDelete($metafields: [MetafieldIdentifierInput!]!) {
  metafieldsDelete(metafields: $metafields) { userErrors { field message } }
}"""
WEBHOOKS = """query Webhooks {
  webhookSubscriptions(first: 100) { nodes { id topic uri } }
}"""
WEBHOOK_CREATE = """mutation WebhookCreate($topic: WebhookSubscriptionTopic!, $uri: String!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: { uri: $uri }) {
    webhookSubscription { id topic uri } userErrors { field message }
  }
}"""
WEBHOOK_DELETE = """mutation WebhookDelete($id: ID!) {
  webhookSubscriptionDelete(id: $id) { userErrors { field message } }
}"""
