// Requests by which something is changed, for those who may.

import { BY_SCRIPT, here } from "./address.js";
import { say } from "./words.js";

/** Milliseconds for an answer; a driver may take its time. */
const ANSWERED_WITHIN = 10000;

/** What the API answers. Where it refuses, an error in its own words. */
export async function ask(path, method = "GET", change) {
  const headers = { ...BY_SCRIPT, "Content-Type": "application/json" };
  const body = change && JSON.stringify(change);
  const signal = AbortSignal.timeout(ANSWERED_WITHIN);
  let answer, text;
  try {
    answer = await fetch(here(`api/v1/${path}`), { method, headers, body, signal, cache: "no-store" });
    text = await answer.text();
  } catch {
    throw new Error(say("unheard"));
  }
  if (answer.ok) return text ? JSON.parse(text) : {};
  throw new Error(wordsOf(text) || `HTTP ${answer.status}`);
}

function wordsOf(text) {
  try {
    return JSON.parse(text).error.message;
  } catch {
    return text.trim().slice(0, 300);
  }
}
