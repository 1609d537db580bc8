// The language of the HTML document.

export default function mount({ data }) {
  document.documentElement.lang = data;
}
