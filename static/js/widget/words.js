/* The widget's texts: it stands in other people's pages, where no template of Kalas could hand them over. */

const WORDS = {
  en: {
    open: "Find similar",
    title: "Similar items",
    close: "Close",
    pick: "Use your own photo",
    again: "Try again",
    searching: "Searching…",
    one: "1 similar item",
    many: "%d similar items",
    nothing: "Nothing here looks like it.",
    own: "Choose a photo to find what looks like it.",
    photo: "This photo can't be read. Please choose another one.",
    large: "This photo is too large. Please choose a smaller one.",
    often: "Too many searches at once. Please try again in a minute.",
    busy: "Many people are searching. Please try again in a moment.",
    offline: "You are offline. Check your connection and try again.",
    silent: "The search can't be reached. Please try again later.",
    key: "Searching is not set up for this page.",
    away: "Searching does not work at the moment.",
    soldOut: "Out of stock",
  },
  tr: {
    open: "Benzerlerini bul",
    title: "Benzer ürünler",
    close: "Kapat",
    pick: "Kendi fotoğrafınızı kullanın",
    again: "Yeniden dene",
    searching: "Aranıyor…",
    one: "1 benzer ürün",
    many: "%d benzer ürün",
    nothing: "Buna benzeyen bir ürün yok.",
    own: "Benzerlerini bulmak için bir fotoğraf seçin.",
    photo: "Bu fotoğraf okunamıyor. Lütfen başka bir fotoğraf seçin.",
    large: "Bu fotoğraf çok büyük. Lütfen daha küçük bir fotoğraf seçin.",
    often: "Çok fazla arama yapıldı. Lütfen bir dakika sonra yeniden deneyin.",
    busy: "Şu anda çok arama yapılıyor. Lütfen birazdan yeniden deneyin.",
    offline: "Çevrimdışısınız. Bağlantınızı kontrol edip yeniden deneyin.",
    silent: "Aramaya ulaşılamıyor. Lütfen daha sonra yeniden deneyin.",
    key: "Arama bu sayfa için ayarlanmamış.",
    away: "Arama şu anda çalışmıyor.",
    soldOut: "Stokta yok",
  },
};

export function chooseWords(language) {
  return WORDS[language.slice(0, 2).toLowerCase()] ?? WORDS.en;
}
