// Text templates with {names} in braces.

/** Fill in the values. A name without a value stays as it is; values are never scanned for names. */
export function formatMessage(template, values = {}) {
  return template.replace(/\{(\w+)\}/g, (braces, name) =>
    Object.hasOwn(values, name) ? String(values[name]) : braces,
  );
}
