"""Who may do what: the table of product.md §2, one function, no exceptions elsewhere."""

from .vocabulary import MemberStatus, Right, Role, WhoMayBuy

_EVERYTHING = frozenset(Right)
_BILLING = frozenset(
    {
        Right.SEE_PLANS,
        Right.ASK,
        Right.BUY,
        Right.APPROVE,
        Right.AUTO_RENEWAL,
        Right.REFUND,
        Right.USE_SAVED_METHODS,
        Right.MANAGE_PAYMENT_METHODS,
        Right.SEE_HISTORY,
        Right.SEE_BILLING_DETAILS,
        Right.DOWNLOAD_DOCUMENTS,
        Right.BILLING_SETTINGS,
    }
)
_ADMIN = frozenset(
    {
        Right.SEE_PLANS,
        Right.ASK,
        Right.SEE_HISTORY,
        Right.SEE_BILLING_DETAILS,
        Right.DOWNLOAD_DOCUMENTS,
        Right.MANAGE_MEMBERS,
    }
)
_MEMBER = frozenset({Right.SEE_PLANS, Right.ASK, Right.SEE_HISTORY})

_RIGHTS_OF_ROLE = {
    Role.OWNER: _EVERYTHING,
    Role.BILLING_MANAGER: _BILLING,
    Role.ADMIN: _ADMIN,
    Role.MEMBER: _MEMBER,
}


def rights_of(
    *,
    role: Role,
    status: MemberStatus,
    is_upgrader: bool,
    who_may_buy: WhoMayBuy,
    hides_plans_from_members: bool,
    has_ceiling: bool = False,
) -> frozenset[Right]:
    """Everything this member may do in this workspace; nothing for guests and disabled members.

    An upgrader adds the rights of billing to those of the role. `hides_plans_from_members` takes
    plans, history and therefore buying and asking away from plain members only. `has_ceiling`: members and
    administrators buy, whoever else may, but without APPROVE only as far as the workspace's monthly ceiling.
    """
    if status != MemberStatus.ACTIVE:
        return frozenset()
    rights = _RIGHTS_OF_ROLE[role]
    if has_ceiling:
        rights |= {Right.BUY}
    elif who_may_buy == WhoMayBuy.ANY_MEMBER:
        rights |= {Right.BUY, Right.APPROVE}
    if hides_plans_from_members and role == Role.MEMBER:
        rights -= _MEMBER | {Right.BUY, Right.APPROVE}
    if is_upgrader:
        rights |= _BILLING
    return rights
