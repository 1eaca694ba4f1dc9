// Reads the fields of a message by name and checks the type of each.

export function toNumber(value: unknown, where: string): number {
  if (typeof value !== "number" || !Number.isFinite(value)) throw new Error(`${where} is not a finite number`);
  return value;
}

export function toText(value: unknown, where: string): string {
  if (typeof value !== "string") throw new Error(`${where} is not a string`);
  return value;
}

/** The fields of one object. `where` names the object in the errors. */
export class FieldReader {
  readonly #values: ReadonlyMap<string, unknown>;
  readonly #where: string;

  constructor(value: unknown, where: string) {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw new Error(`${where} is not an object`);
    this.#values = new Map(Object.entries(value));
    this.#where = where;
  }

  get(key: string): unknown {
    return this.#values.get(key);
  }

  number(key: string): number {
    return toNumber(this.get(key), this.#name(key));
  }

  integer(key: string): number {
    const value = this.get(key);
    if (!Number.isSafeInteger(value)) throw new Error(`${this.#name(key)} is not an integer`);
    return value as number;
  }

  text(key: string): string {
    return toText(this.get(key), this.#name(key));
  }

  bool(key: string): boolean {
    const value = this.get(key);
    if (typeof value !== "boolean") throw new Error(`${this.#name(key)} is not a boolean`);
    return value;
  }

  oneOf<const T extends string>(key: string, allowed: readonly T[]): T {
    const found = allowed.find((word) => word === this.get(key));
    if (found === undefined) throw new Error(`${this.#name(key)} is none of ${allowed.join(", ")}`);
    return found;
  }

  orNull<T>(key: string, read: (key: string) => T): T | null {
    return this.get(key) === null ? null : read(key);
  }

  list<T>(key: string, read: (value: unknown, where: string) => T): T[] {
    const value = this.get(key);
    if (!Array.isArray(value)) throw new Error(`${this.#name(key)} is not a list`);
    return value.map((item: unknown, i) => read(item, `${this.#name(key)}[${i}]`));
  }

  #name(key: string): string {
    return `${this.#where}.${key}`;
  }
}
