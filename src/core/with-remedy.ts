/** Message and remedy as sentences of their own. A message ends without a full stop unless it quotes somebody's sentence. */
export function withRemedy(message: string, remedy: string | undefined): string {
  if (!remedy) return message;
  return /[.!?]$/.test(message) ? `${message} ${remedy}` : `${message}. ${remedy}`;
}
