// Questions to the server. Each is a GET of JSON that changes nothing; `post` is the other kind.

/** What is said where the server does not answer at all. */
export const SILENT = 'the dashboard does not answer: has it been stopped?';

/** What the server refused, in its words, with its status. */
export class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

/** Parameters as a query string; lists give a name several times, nothing leaves it out. */
function query(params) {
  const found = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== '') found.append(name, one);
    }
  }
  return found.toString();
}

/** The address of an answer, for links and for `src`. */
export function address(name, params = {}) {
  const text = query(params);
  return `/api/${name}${text ? `?${text}` : ''}`;
}

/** The JSON that the server answers. */
export async function ask(name, params = {}, signal = undefined) {
  return (await answer(address(name, params), { signal })).json();
}

/** Arrays that the server answers: its JSON head with a Float32Array or Float64Array for each name. */
export async function askArrays(name, params = {}, signal = undefined) {
  const buffer = await (await answer(address(name, params), { signal })).arrayBuffer();
  const length = new DataView(buffer).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  let place = 4 + length;
  for (const [part, size, bytes] of head.arrays) {
    // A copy, as an array may begin only at a multiple of the size of its numbers.
    const numbers = buffer.slice(place, place + bytes * size);
    head[part] = bytes === 8 ? new Float64Array(numbers) : new Float32Array(numbers);
    place += bytes * size;
  }
  return head;
}

/** Has something changed; the body goes as JSON. */
export async function post(name, body) {
  const headers = { 'content-type': 'application/json' };
  return (
    await answer(address(name), { method: 'POST', headers, body: JSON.stringify(body) })
  ).json();
}

async function answer(url, options) {
  let response;
  try {
    response = await fetch(url, options);
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Refused(0, SILENT);
  }
  if (response.ok) return response;
  const text = await response.text();
  let told = text;
  try {
    told = JSON.parse(text).error ?? text;
  } catch {
    // Not of our making: shown as it is.
  }
  throw new Refused(response.status, told);
}
