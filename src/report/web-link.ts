/** The address if a person may be sent there: http or https, without user info, with everything odd encoded. */
export function webLink(text: string | undefined): string | undefined {
  if (text === undefined || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (!['http:', 'https:'].includes(url.protocol) || url.username || url.password) return undefined;
  return url.href.replace(/[^\w\-.~:/?#@!$&+,;=%]/g, (odd) => encodeURIComponent(odd).replace(/[!'()*]/g, hex));
}

function hex(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}
