from django.urls import path

from accounts import views

urlpatterns = [
    path("new/", views.create_shop, name="create_shop"),
    path("switch/", views.switch_shop, name="switch_shop"),
    path("settings/", views.show_settings, name="shop_settings"),
    path("profile/", views.show_profile, name="profile"),
    path("language/", views.set_language, name="set_language"),
    path("members/", views.show_members, name="members"),
    path("members/invite/", views.invite_member, name="invite_member"),
    path("members/leave/", views.leave_shop, name="leave_shop"),
    path("members/<int:membership_id>/role/", views.change_role, name="change_role"),
    path("members/<int:membership_id>/remove/", views.remove_member, name="remove_member"),
    path(
        "invitations/<uuid:invitation_id>/revoke/",
        views.revoke_invitation,
        name="revoke_invitation",
    ),
    path("invitations/decline/", views.decline_invitation, name="decline_invitation"),
    path("join/<str:token>/", views.answer_invitation, name="invitation"),
]
