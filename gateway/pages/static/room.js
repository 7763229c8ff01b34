// The waiting room on the page: draws a view, counts down, tells when something changed.

import { $, announce, lang, setText, show, t } from "./page.js";
import { count, countdown, waitBand } from "./format.js";
import { roomView, worthSaying } from "./room-view.js";

const SOUND_KEPT = "weir-sound";

const COUNTDOWN_LABELS = {
  lobby: () => t("room-countdown-lobby"),
  draw: () => t("room-countdown-draw"),
  turn: () => t("room-countdown-turn"),
  again: () => t("room-countdown-again"),
};

/** Two short soft tones, made here so that no file is fetched at the moment everybody is called. */
function chime(context) {
  for (const [start, pitch] of [[0, 660], [0.22, 880]]) {
    const tone = context.createOscillator();
    const volume = context.createGain();
    tone.frequency.value = pitch;
    volume.gain.setValueAtTime(0.0001, context.currentTime + start);
    volume.gain.exponentialRampToValueAtTime(0.25, context.currentTime + start + 0.03);
    volume.gain.exponentialRampToValueAtTime(0.0001, context.currentTime + start + 0.4);
    tone.connect(volume).connect(context.destination);
    tone.start(context.currentTime + start);
    tone.stop(context.currentTime + start + 0.45);
  }
}

/** The room. `clock` is the server's. */
export function createRoom(clock) {
  const baseTitle = document.title;
  const section = $("room");
  let view;
  let shownKey = section.dataset.state;
  let firstAhead = 0;
  let said = null;
  let audio;

  const soundBox = $("room-sound").querySelector("input");
  soundBox.checked = sessionStorage.getItem(SOUND_KEPT) === "1";
  const unlockSound = () => {
    // Browsers allow sound only after an act of the visitor.
    audio ??= new AudioContext();
    audio.resume();
  };
  soundBox.addEventListener("change", () => {
    sessionStorage.setItem(SOUND_KEPT, soundBox.checked ? "1" : "0");
    if (soundBox.checked) {
      unlockSound();
      chime(audio);
    }
  });
  if (soundBox.checked) document.addEventListener("pointerdown", unlockSound, { once: true });

  function fact(name, value, visible) {
    const row = section.querySelector(`[data-fact="${name}"]`);
    show(row, visible);
    if (visible) setText(row.querySelector("dd"), value);
  }

  function title() {
    if (view.called) return `${t("room-title-called")} · ${baseTitle}`;
    if (view.position !== null) return `${t("room-title-waiting", { position: view.position })} · ${baseTitle}`;
    return baseTitle;
  }

  function tell() {
    const changed = view.key !== shownKey;
    if (changed) {
      announce(`${t(`room-${view.key}-title`)}. ${t(`room-${view.key}-lead`)}`);
      if (view.called && soundBox.checked && audio) chime(audio);
      if (view.called && document.visibilityState === "visible") $("room-claim").focus();
    } else if (worthSaying(said, view.position)) {
      announce(t("room-position-said", { position: view.position, ahead: view.ahead ?? 0 }));
    }
    if (changed || worthSaying(said, view.position)) said = view.position;
    shownKey = view.key;
  }

  function tick() {
    if (!view?.countdown) return;
    const left = clock.until(view.countdown.until);
    const text = left > 0 ? t("room-countdown-in", { duration: countdown(left, t) }) : t("room-countdown-now");
    setText($("room-countdown-value"), text);
    $("room-countdown").classList.toggle("urgent", view.called && left < 30_000);
  }

  function draw(place, sale) {
    if (place?.ahead > firstAhead) firstAhead = place.ahead;
    view = roomView(place, sale, firstAhead);
    section.dataset.state = view.key;
    setText($("room-title"), t(`room-${view.key}-title`));
    setText($("room-lead"), t(`room-${view.key}-lead`));
    setText($("room-next"), view.rejoining ? t("room-rejoin-next") : t(`room-${view.key}-next`));

    show($("room-position"), view.position !== null);
    if (view.position !== null) setText($("room-position-value"), count(view.position, lang));
    show($("room-progress"), view.progress !== null);
    if (view.progress !== null) $("room-progress").value = Math.round(view.progress * 1000);

    show($("room-countdown"), view.countdown !== null);
    if (view.countdown) setText($("room-countdown-label"), COUNTDOWN_LABELS[view.countdown.label]());
    tick();

    const number = (value) => (value === null ? "" : count(value, lang));
    fact("ahead", number(view.ahead), view.ahead !== null);
    fact("eta", waitBand(view.eta, t), view.showEta);
    fact("joined", number(view.joined), view.joined !== null);
    fact("pace", number(view.pace), view.pace !== null);
    fact("seats", number(view.seatsLeft), view.seatsLeft !== null);

    show(section.querySelector('[data-act="join"]'), view.canJoin);
    show(section.querySelector('[data-act="claim"]'), view.called);
    setText($("room-join"), view.key === "join-lobby" ? t("room-join") : t("room-join-line"));
    show($("room-leave"), view.canLeave);
    show($("room-sound"), view.inside && !view.called);
    show($("room-draw"), Boolean(sale));
    document.title = title();
    tell();
  }

  setInterval(tick, 250);

  return {
    draw,
    /** Shows or hides the whole room. */
    show: (visible) => {
      show($("room-layout"), visible);
      if (!visible) document.title = baseTitle;
    },
    /** A line under the button, such as why it has to be tried again; empty text removes it. */
    notice(text) {
      setText($("room-notice"), text);
      show($("room-notice"), Boolean(text));
    },
    /** Marks a button as working. */
    busy(act, working) {
      const button = section.querySelector(`[data-act="${act}"] button`);
      button.disabled = working;
      if (act === "claim") setText(button, working ? t("room-claim-busy") : t("room-claim"));
    },
  };
}
