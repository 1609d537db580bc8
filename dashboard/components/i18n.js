// Text templates with names in braces, such as {count}.

/** Replace the names by values. A name without a value stays as it is. Values are not scanned for names. */
export function formatMessage(template, values = {}) {
  return template.replace(/\{(\w+)\}/g, (braces, name) =>
    Object.hasOwn(values, name) ? String(values[name]) : braces,
  );
}
