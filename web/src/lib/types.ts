// What docs/api.yaml says of the answers, as far as the page reads it.

export interface Row {
  table: string;
  ts: string;
  seq: number;
  received?: string;
  ts_sent?: string;
  flags?: string[];
  source?: string;
  sender?: string;
  transport?: string;
  hep_version?: number;
  capture_id?: number;
  node?: string;
  src_ip?: string;
  src_port?: number;
  dst_ip?: string;
  dst_port?: number;
  proto?: string;
  vlan?: number;
  payload_type?: number;
  correlation_id?: string;
  payload_len?: number;
  payload?: string;
  payload_encoding?: "base64";
  kind?: string;
  method?: string;
  status?: number;
  reason?: string;
  cseq?: number;
  call_id?: string;
  from_user?: string;
  from_host?: string;
  from_tag?: string;
  to_user?: string;
  to_host?: string;
  to_tag?: string;
  ruri_user?: string;
  ruri_host?: string;
  branch?: string;
  via_count?: number;
  user_agent?: string;
  expires?: number;
  sdp_ip?: string;
  sdp_port?: number;
  sdp_media?: string;
  parse_error?: string;
  state?: string; // of a call or of an attempt to register
  call_flags?: string;
  hangup?: string;
  answered?: string;
  ended?: string;
  last?: string;
  pdd_ms?: number;
  ring_ms?: number;
  talk_ms?: number;
  messages?: number;
  retransmissions?: number;
  codec?: string;
  caller_agent?: string;
  callee_agent?: string;
  group_id?: string;
  legs?: number;
  q850_cause?: number;
  mos?: number;
  loss?: number;
  jitter_ms?: number;
  rtt_ms?: number;
  heard_by?: string;
  ssrc?: number;
  report?: string;
  seconds?: number;
  [column: string]: unknown;
}

export interface SearchAnswer {
  rows: Row[];
  count: number;
  rows_exact: boolean;
  total?: number;
  total_exact?: boolean;
  timed_out: boolean;
  problem?: string;
  unread?: number;
  next: string | null;
}

export interface Finding {
  id: string;
  severity: "error" | "warning" | "info";
  text: string;
  hint?: string;
  evidence: { number: number; seq: number; ts: string }[];
}

export interface Diagnosis {
  call: Record<string, unknown> | null;
  findings: Finding[];
  messages: number;
  left_out?: number;
}

export interface FlowAnswer {
  rows: Row[];
  count: number;
  exact: boolean;
  problem?: string;
  unread?: number;
  next: string | null;
}

export interface Series {
  value?: string;
  total: number;
  counts: number[];
}

export interface Counts {
  from: string | null;
  to: string | null;
  interval: string | null;
  interval_us: number | null;
  starts: string[];
  counts: number[];
  series?: Series[];
  other?: Series;
  none?: Series;
  total: number;
  total_exact: boolean;
  problem?: string;
}

export interface Values {
  values: { value: string; count: number }[];
}

export interface Field {
  name: string;
  aliases: string[];
  kind: string;
  description: string;
  example: string;
  of: string[];
  values: boolean;
}

export interface Sender {
  ip: string;
  transport: string;
  first_seen: string;
  last_seen: string;
  counters: Record<string, number>;
  dropped: Record<string, number>;
  capture_id?: number;
  node?: string;
  clock_skew_us?: { last: number; min: number; max: number; mean: number };
}

export interface Health {
  status: "ok" | "warning" | "failing";
  version?: string;
  reasons?: { level: string; code: string; text: string }[];
}

export interface SdpFormat {
  format: string;
  codec?: string;
  clock_rate?: number;
  channels?: number;
  fmtp?: string;
}

export interface SdpMedia {
  kind?: string;
  protocol?: string;
  host?: string;
  port: number;
  rtcp_port?: number;
  direction?: string;
  ptime?: number;
  crypto?: boolean;
  suite?: string;
  fingerprint?: boolean;
  ice?: boolean;
  formats: SdpFormat[];
}

export interface SipHeader {
  name?: string;
  header?: string;
  value: string;
  bad?: boolean;
  offset?: number;
  vias?: Record<string, unknown>[];
  addresses?: Record<string, unknown>[];
}

export interface Message extends Row {
  sip?: {
    start_line?: string;
    headers: SipHeader[];
    further_headers?: number;
    problems?: string[];
    sdp?: {
      user?: string; session_id?: string; session_version?: string; origin?: string; host?: string; direction?: string;
      media: SdpMedia[];
    };
  };
  rtcp?: unknown;
}
