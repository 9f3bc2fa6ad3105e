const LARGEST = 2 ** 31 - 1;

/** Whether it can be a user of FabAuthManager: it knows its users by the numeric ids of its database, integers of 32 bits. */
export function isFabUser(user: string): boolean {
  return /^[1-9]\d{0,9}$/.test(user) && Number(user) <= LARGEST;
}
