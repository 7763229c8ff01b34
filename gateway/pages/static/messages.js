// Formats the message catalogue's patterns (the part of Fluent that the catalogue's head names).

/** Splits a pattern into texts, variables and choices. */
export function parsePattern(source) {
  let at = 0;

  function pattern(inVariant) {
    const parts = [];
    let text = "";
    while (at < source.length) {
      const char = source[at];
      if (char === "{") {
        if (text) parts.push(text);
        text = "";
        at += 1;
        parts.push(placeable());
      } else if (inVariant && (char === "}" || (char === "\n" && variantFollows()))) {
        break;
      } else {
        text += char;
        at += 1;
      }
    }
    // The line end before the next variant belongs to no text.
    if (inVariant) text = text.trimEnd();
    if (text) parts.push(text);
    return parts;
  }

  const variantFollows = () => /^\s*(\*?\[|\})/.test(source.slice(at));

  function placeable() {
    const rest = source.slice(at);
    const quoted = /^\s*"([^"]*)"\s*\}/.exec(rest);
    if (quoted) {
      at += quoted[0].length;
      return quoted[1];
    }
    const variable = /^\s*\$([\w-]+)\s*/.exec(rest);
    if (!variable) throw new SyntaxError(`cannot read ${JSON.stringify(rest.slice(0, 40))}`);
    at += variable[0].length;
    if (source[at] === "}") {
      at += 1;
      return { variable: variable[1] };
    }
    if (!source.startsWith("->", at)) throw new SyntaxError(`no choice after $${variable[1]}`);
    at += 2;
    const variants = [];
    for (;;) {
      const head = /^\s*(\*?)\[\s*([\w.-]+)\s*\][ \t]*/.exec(source.slice(at));
      if (!head) break;
      at += head[0].length;
      variants.push({ key: head[2], otherwise: head[1] === "*", value: pattern(true) });
    }
    const end = /^\s*\}/.exec(source.slice(at));
    if (!end || !variants.length) throw new SyntaxError(`the choice of $${variable[1]} has no end`);
    at += end[0].length;
    return { variable: variable[1], variants };
  }

  return pattern(false);
}

/** Makes t(id, values) from patterns by id. A message that is missing shows its id. */
export function createTranslator(patterns, lang) {
  const numbers = new Intl.NumberFormat(lang);
  const plurals = new Intl.PluralRules(lang);
  const parsed = new Map();

  function choose(part, value) {
    const exact = part.variants.find((variant) => variant.key === String(value));
    if (exact) return exact;
    const plural = typeof value === "number" ? plurals.select(value) : undefined;
    return (
      part.variants.find((variant) => variant.key === plural) ??
      part.variants.find((variant) => variant.otherwise) ??
      part.variants.at(-1)
    );
  }

  function format(parts, values) {
    let text = "";
    for (const part of parts) {
      if (typeof part === "string") {
        text += part;
        continue;
      }
      const value = values[part.variable];
      if (part.variants) text += format(choose(part, value).value, values);
      else text += typeof value === "number" ? numbers.format(value) : String(value ?? "");
    }
    return text;
  }

  return function t(id, values = {}) {
    if (!(id in patterns)) return id;
    if (!parsed.has(id)) {
      let parts = [patterns[id]];
      try {
        parts = parsePattern(patterns[id]);
      } catch {
        // A translation that uses more of Fluent than scripts know: shown as it is.
      }
      parsed.set(id, parts);
    }
    return format(parsed.get(id), values);
  };
}
