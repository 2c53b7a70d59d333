// Numbers and times for people.

const WHOLE = new Intl.NumberFormat('en');
const THREE = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });

/** `1,234`. */
export const count = (value) => WHOLE.format(Math.round(value));

/** Three digits: `0.0123`, `12.3`; a dash where there is no number. */
export function number(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return '–';
  if (value && Math.abs(value) < 1e-4) return value.toExponential(2);
  return Math.abs(value) >= 1000 ? WHOLE.format(Math.round(value)) : THREE.format(value);
}

/** Hours of video: `2.31 h`, `8.4 min`, `12 s`. */
export function hours(value) {
  if (value === null || value === undefined) return '–';
  if (value >= 1) return `${value >= 100 ? count(value) : THREE.format(value)} h`;
  return value * 60 >= 1 ? `${THREE.format(value * 60)} min` : `${THREE.format(value * 3600)} s`;
}

/** `3.4 GB`, decimal. */
export function bytes(value) {
  if (!value) return '–';
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(value) / 3));
  return `${THREE.format(value / 1000 ** power)} ${units[power]}`;
}

/** A share with its denominator: `12.3 % of 4,567`. */
export function shareOf(part, whole) {
  return whole ? `${THREE.format((100 * part) / whole)} % of ${count(whole)}` : '–';
}

/** `12.3 %`. */
export const percent = (share) => (Number.isFinite(share) ? `${THREE.format(100 * share)} %` : '–');

/** A duration: `8.2 s`, `3m 05s`, `2h 10m`. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return '–';
  if (seconds < 60) return `${THREE.format(seconds)} s`;
  const minutes = Math.floor(Math.round(seconds) / 60);
  const two = (value) => String(value).padStart(2, '0');
  if (minutes < 60) return `${minutes}m ${two(Math.round(seconds) % 60)}s`;
  return `${Math.floor(minutes / 60)}h ${two(minutes % 60)}m`;
}

/** A place in a video: `1:02.35`. */
export function place(seconds) {
  const rest = (seconds % 60).toFixed(2).padStart(5, '0');
  return `${Math.floor(seconds / 60)}:${rest}`;
}

/** `2026-11-27 06:45 UTC`. */
export const time = (text) => `${new Date(text).toISOString().slice(0, 16).replace('T', ' ')} UTC`;

/** `motion_vmaf` as `motion vmaf`. */
export const words = (name) => name.replaceAll('_', ' ');
