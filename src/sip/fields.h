/*
 * From the value of a header to the fields of struct sip_msg: one handler for each kind of value. header_list.h says
 * which header goes where. Private to this folder.
 */
#ifndef SIP_FIELDS_H
#define SIP_FIELDS_H

#include "sip/msg.h"

struct sip_reader {
    struct sip_msg *msg;
    enum sip_header_id id; /* the header in hand */
    bool content_length_bad;
};

/* Notes a problem at an octet of the message. */
void sip_note(struct sip_msg *msg, enum sip_problem problem, const uint8_t *at);

/* `field` is the member of sip_msg that header_list.h names. */
typedef void sip_field_handler(struct sip_reader *r, void *field, struct hep_slice value);

sip_field_handler sip_field_ignore, sip_field_text, sip_field_number, sip_field_cseq, sip_field_address,
    sip_field_first_address, sip_field_asserted, sip_field_contact, sip_field_diversion, sip_field_history_info,
    sip_field_via, sip_field_route, sip_field_reason, sip_field_session_id, sip_field_charging, sip_field_identity,
    sip_field_replaces, sip_field_session_expires, sip_field_content_length, sip_field_warning, sip_field_credentials;

#endif
