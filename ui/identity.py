"""Who is looking: the person behind this browser session, and the way to sign in."""

from __future__ import annotations

import hashlib

import streamlit as st
from streamlit.errors import StreamlitAuthError

from jobs.application import Application
from jobs.authority import OWNER, VISITOR, Actor, actor_of_claims, sign_in_remedy
from jobs.errors import ConfigurationError, TooManyAttempts

__all__ = ["current_actor", "sign_in_box"]

_SESSION_KEY = "owner_password_proof"


def current_actor(application: Application) -> Actor:
    """The actor of this rerun; asked anew each time, so that a changed setting counts at once."""
    owner = application.settings.owner
    if owner.local:
        return OWNER
    if owner.password_hash is not None:
        proof = st.session_state.get(_SESSION_KEY)
        if proof == _proof(owner.password_hash):
            return OWNER
    if owner.emails and _is_logged_in():
        return actor_of_claims(owner, st.user.to_dict())
    return VISITOR


def sign_in_box(application: Application, actor: Actor) -> None:
    """Sign in or out; shows what to configure where nobody can be the owner."""
    owner = application.settings.owner
    if owner.local:
        return
    with st.expander("Owner", icon=":material/key:"):
        if actor.is_owner:
            st.caption("You are signed in as the owner.")
            if st.button("Sign out"):
                _sign_out(application)
            return
        st.caption(sign_in_remedy(owner))
        if owner.emails:
            if _is_logged_in():
                st.caption("You are signed in, but not with an owner's address.")
                if st.button("Sign out"):
                    _sign_out(application)
            elif st.button("Sign in"):
                _sign_in()
        if owner.password_hash is not None:
            _password_form(application, owner.password_hash)


def _password_form(application: Application, password_hash: str) -> None:
    with st.form("owner-password", clear_on_submit=True, border=False):
        password = st.text_input("Owner's password", type="password")
        submitted = st.form_submit_button("Sign in")
    st.caption("It holds until this page is loaded anew.")
    if not submitted:
        return
    try:
        right = application.password_gate.check(password, password_hash)
    except (TooManyAttempts, ConfigurationError) as error:
        st.error(str(error))
        return
    if not right:
        st.error("That is not the owner's password.")
        return
    st.session_state[_SESSION_KEY] = _proof(password_hash)
    st.rerun()


def _sign_in() -> None:
    try:
        st.login()
    except StreamlitAuthError:
        st.error(
            "Sign-in is not set up: the secrets have [owner] emails but no complete [auth] table. "
            "See S3_SETUP_GUIDE.md."
        )


def _sign_out(application: Application) -> None:
    st.session_state.pop(_SESSION_KEY, None)
    if application.settings.owner.emails and _is_logged_in():
        st.logout()
    st.rerun()


def _is_logged_in() -> bool:
    # Without [auth] in the secrets Streamlit leaves the attribute out.
    return bool(st.user.get("is_logged_in", False))


def _proof(password_hash: str) -> str:
    """Remembers which password was right: replacing it signs everybody out."""
    return hashlib.sha256(password_hash.encode()).hexdigest()
