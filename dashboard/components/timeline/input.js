// Input on the timeline: pointer, wheel and keys.

const CLICK_PX = 5; // a pointer that moves less clicks and does not drag
const MIN_PINCH_PX = 10; // nearer fingers do not zoom

export class TimelineInput {
  /** @param {import("./timeline.js").TimelinePage} page */
  constructor(page) {
    this.page = page;
    this.pointers = new Map(); // id -> {x, startX, moved}
    const { frame } = page;
    frame.addEventListener("pointerdown", (event) => this.press(event));
    frame.addEventListener("pointermove", (event) => this.hover(event));
    frame.addEventListener("pointerup", (event) => this.release(event));
    frame.addEventListener("pointercancel", (event) => this.pointers.delete(event.pointerId));
    frame.addEventListener("pointerleave", () => {
      if (!this.pointers.size) page.leave();
    });
    frame.addEventListener("wheel", (event) => this.handleWheel(event), { passive: false });
    frame.addEventListener("keydown", (event) => this.handleKey(event));
    frame.addEventListener("focus", () => frame.matches(":focus-visible") && page.moveCursor(0));
    frame.addEventListener("blur", () => page.tooltip.hide());
    this.watchOverview(page.part("overview"));
  }

  watchOverview(overview) {
    const { view } = this.page;
    const centerView = (event) => {
      if (!event.buttons) return;
      const box = overview.getBoundingClientRect();
      view.move(((event.clientX - box.left) / box.width) * view.end - view.middle);
    };
    overview.addEventListener("pointerdown", (event) => {
      overview.setPointerCapture(event.pointerId);
      centerView(event);
    });
    overview.addEventListener("pointermove", centerView);
  }

  press(event) {
    if (event.button !== 0) return;
    this.page.frame.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, { x: event.clientX, startX: event.clientX, moved: false });
  }

  hover(event) {
    const pointer = this.pointers.get(event.pointerId);
    if (pointer) this.drag(pointer, event);
    else this.page.pointAt(event.clientX);
  }

  drag(pointer, event) {
    const { page } = this;
    if (Math.abs(event.clientX - pointer.startX) > CLICK_PX) pointer.moved = true;
    const other = [...this.pointers.values()].find((each) => each !== pointer);
    if (other) {
      const before = Math.abs(pointer.x - other.x);
      const now = Math.abs(event.clientX - other.x);
      if (before > MIN_PINCH_PX && now > MIN_PINCH_PX) {
        page.view.zoom(now / before, page.timeAt((event.clientX + other.x) / 2));
      }
      pointer.moved = other.moved = true;
    } else if (pointer.moved) {
      page.tooltip.hide();
      page.view.move((pointer.x - event.clientX) * page.secondsPerPixel);
    }
    pointer.x = event.clientX;
  }

  release(event) {
    const pointer = this.pointers.get(event.pointerId);
    this.pointers.delete(event.pointerId);
    if (pointer && !pointer.moved) this.page.click(event.clientX);
  }

  handleWheel(event) {
    const { view, secondsPerPixel } = this.page;
    const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
    const isSideways = Math.abs(sideways) > (event.shiftKey ? 0 : Math.abs(event.deltaY));
    if (event.ctrlKey || event.metaKey)
      view.zoom(Math.exp(-event.deltaY / 200), this.page.timeAt(event.clientX));
    else if (isSideways) view.move(sideways * secondsPerPixel);
    else return; // vertical movement scrolls the page
    event.preventDefault();
  }

  handleKey(event) {
    const { page } = this;
    const actions = {
      ArrowLeft: () => page.moveCursor(-1),
      ArrowRight: () => page.moveCursor(1),
      ArrowDown: () => page.moveCursor(-1),
      ArrowUp: () => page.moveCursor(1),
      Home: () => page.setCursor(0),
      End: () => page.setCursor(page.segments.length - 1),
      Enter: () => page.selectAtCursor(),
      " ": () => page.selectAtCursor(),
      "+": () => page.runTool("in"),
      "=": () => page.runTool("in"),
      "-": () => page.runTool("out"),
      0: () => page.runTool("all"),
      PageUp: () => page.runTool("earlier"),
      PageDown: () => page.runTool("later"),
      Escape: () => page.tooltip.hide(),
    };
    if (!actions[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation(); // Streamlit has shortcuts of its own
    actions[event.key]();
  }
}
