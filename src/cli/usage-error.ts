/** Wrong arguments; the message is for whoever typed them and never holds a value that could be a token. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
