//! The members of a group, as far as `/etc/passwd` and `/etc/group` tell them.
//!
//! Members that only a directory service knows are not seen. A group that is in neither file is
//! assumed to have other members.

/// Returns `true` if root and this user are the only members of the group.
pub(crate) fn is_private(group: u32, user: u32) -> bool {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    decide(group, user, &read("/etc/passwd"), &read("/etc/group"))
}

fn decide(group: u32, user: u32, passwd: &str, groups: &str) -> bool {
    const ROOT: u32 = 0;
    // The formats are `name:password:user:group:…` and `name:password:group:member,member`.
    let number = |field: Option<&str>| field.and_then(|it| it.parse::<u32>().ok());
    let mut ours = Vec::new();
    for line in passwd.lines() {
        let mut fields = line.split(':');
        let (name, id) = (fields.next().unwrap_or_default(), number(fields.nth(1)));
        if id == Some(user) || id == Some(ROOT) {
            ours.push(name);
        } else if number(fields.next()) == Some(group) {
            return false;
        }
    }
    let mut is_known = false;
    for line in groups.lines() {
        let mut fields = line.split(':');
        if number(fields.nth(2)) != Some(group) {
            continue;
        }
        is_known = true;
        let mut members = fields.next().unwrap_or_default().split(',').map(str::trim);
        if members.any(|member| !member.is_empty() && !ours.contains(&member)) {
            return false;
        }
    }
    is_known
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "\
root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
hotbay:x:1000:1000:,,,:/home/hotbay:/bin/bash
other:x:1001:1001::/home/other:/bin/bash
apart:x:1002:50::/home/apart:/bin/bash
";
    const GROUPS: &str = "\
root:x:0:
hotbay:x:1000:
self:x:1003:hotbay,root
staff:x:50:
team:x:60:hotbay,other
broken
";

    fn private(group: u32) -> bool {
        decide(group, 1000, PASSWD, GROUPS)
    }

    #[test]
    fn a_group_of_the_user_or_root_alone_is_private() {
        assert!(private(1000) && private(0) && private(1003));
    }

    #[test]
    fn a_group_with_another_member_is_not() {
        assert!(!private(60), "other is a member");
        assert!(!private(50), "it is apart's primary group");
    }

    #[test]
    fn a_group_that_nobody_knows_is_not() {
        assert!(!private(4711));
        assert!(!decide(1000, 1000, "", ""));
    }
}
