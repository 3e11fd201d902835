/* The widget's texts: it stands in other people's pages, where no template of Kalas could hand them over. */

const WORDS = {
  en: {
    open: "Find similar",
    title: "Similar items",
    close: "Close",
    pick: "Use your own photo",
    again: "Try again",
    searching: "Searching…",
    found: "%d similar items",
    nothing: "Nothing here looks like it.",
    own: "Choose a photo to find what looks like it.",
    photo: "This photo can't be read. Please choose another one.",
    busy: "Many people are searching. Please try again in a moment.",
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
    found: "%d benzer ürün",
    nothing: "Buna benzeyen bir ürün yok.",
    own: "Benzerlerini bulmak için bir fotoğraf seçin.",
    photo: "Bu fotoğraf okunamıyor. Lütfen başka bir fotoğraf seçin.",
    busy: "Şu anda çok arama yapılıyor. Lütfen birazdan yeniden deneyin.",
    away: "Arama şu anda çalışmıyor.",
    soldOut: "Stokta yok",
  },
};

export function chooseWords(language) {
  return WORDS[language.slice(0, 2).toLowerCase()] ?? WORDS.en;
}
