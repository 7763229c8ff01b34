// Server-sent events read from a fetch body: EventSource can't send an Authorization header.

/** A reader of the stream's text; feed(chunk) returns the events that are complete. */
export function createParser() {
  let buffer = "";
  let event = "message";
  let data = [];

  function line(text, found) {
    if (text === "") {
      if (data.length) found.push({ event, data: data.join("\n") });
      event = "message";
      data = [];
    } else if (!text.startsWith(":")) {
      const colon = text.indexOf(":");
      const field = colon === -1 ? text : text.slice(0, colon);
      const value = colon === -1 ? "" : text.slice(colon + 1).replace(/^ /, "");
      if (field === "event") event = value;
      if (field === "data") data.push(value);
    }
  }

  return function feed(chunk) {
    buffer += chunk;
    const found = [];
    // A lone CR at the end may be half of CRLF: it waits for the next chunk.
    for (;;) {
      const end = /\r\n|\n|\r(?!$)/.exec(buffer);
      if (!end) return found;
      line(buffer.slice(0, end.index), found);
      buffer = buffer.slice(end.index + end[0].length);
    }
  };
}

/** Reads a stream until it ends; handle(event) gets {event, data}. Throws what fetch throws. */
export async function readEvents(answer, handle) {
  const feed = createParser();
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    for (const event of feed(value)) handle(event);
  }
}
