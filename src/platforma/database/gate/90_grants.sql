-- Who may call what. Everything else in this schema can be called by nobody but the gate itself.

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA gate FROM PUBLIC, platforma_portal, platforma_worker, platforma_provisioner, platforma_operator;
GRANT USAGE ON SCHEMA gate TO platforma_portal, platforma_worker, platforma_provisioner, platforma_operator;
GRANT EXECUTE ON FUNCTION gate.current_tenant()
    TO platforma_portal, platforma_worker, platforma_provisioner, platforma_operator;

GRANT EXECUTE ON FUNCTION
    gate.find_portal, gate.begin_sign_in, gate.sign_in, gate.open_session, gate.close_session, gate.find_end,
    gate.begin_password_change, gate.is_present_password, gate.change_password, gate.find_invitation, gate.accept_invitation
    TO platforma_portal;
GRANT EXECUTE ON FUNCTION gate.open_operation, gate.reap_jobs TO platforma_worker, platforma_provisioner;
GRANT EXECUTE ON FUNCTION gate.defer_operation
    TO platforma_portal, platforma_worker, platforma_provisioner, platforma_operator;
GRANT EXECUTE ON FUNCTION
    gate.create_operator, gate.begin_operator_sign_in, gate.operator_sign_in, gate.open_operator_session,
    gate.close_operator_session, gate.open_tenant, gate.find_standing, gate.find_reason, gate.create_invitation
    TO platforma_operator;
GRANT EXECUTE ON FUNCTION gate.own_prices TO platforma_portal, platforma_worker, platforma_operator;
GRANT EXECUTE ON FUNCTION gate.own_terms TO platforma_portal, platforma_worker, platforma_operator;
GRANT EXECUTE ON FUNCTION gate.next_document_number TO platforma_worker, platforma_operator;
GRANT EXECUTE ON FUNCTION gate.add_billing_accounts TO platforma_worker, platforma_operator;
GRANT EXECUTE ON FUNCTION gate.take_billing_turn, gate.open_billing_turn TO platforma_worker;
GRANT EXECUTE ON FUNCTION gate.bind_customer, gate.own_customer, gate.hold_tenant TO platforma_worker;
GRANT EXECUTE ON FUNCTION gate.receive_stripe_event TO platforma_portal;
GRANT EXECUTE ON FUNCTION gate.add_sweeps, gate.take_sweep, gate.open_sweep, gate.request_eviction TO platforma_worker;
GRANT EXECUTE ON FUNCTION gate.request_sweeps, gate.sweep_findings, gate.sweep_state TO platforma_operator;
GRANT EXECUTE ON FUNCTION gate.portal_revenue TO platforma_operator;
GRANT EXECUTE ON FUNCTION gate.portal_usage TO platforma_operator;
GRANT EXECUTE ON FUNCTION gate.domain_in_the_way, gate.lock_domains TO platforma_operator;
GRANT EXECUTE ON FUNCTION gate.take_domain, gate.note_domain TO platforma_provisioner;
GRANT EXECUTE ON FUNCTION gate.canonical_host
    TO platforma_portal, platforma_worker, platforma_provisioner, platforma_operator;
GRANT EXECUTE ON FUNCTION gate.is_certifiable, gate.find_brand_file TO platforma_portal;
